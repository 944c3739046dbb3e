-- An interpreter that its authors wrote for Linux. Its output is compared with Linux's.
print(_VERSION, 10 // 3, 7 % -3, 2 ^ 10, 1e15, math.maxinteger)
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(22))
local words = {}
for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words); print(table.concat(words, ","), #words, ("x"):rep(3), ("%5.2f|%q"):format(3.14159, "a\nb"))
local make = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
print(make(), make(), make())
print(pcall(error, { code = 7 }) , select(2, pcall(function() local x = nil; return x.y end)))
local name = os.tmpname()
local file = assert(io.open(name, "w")); file:write("one\ntwo\n", 3, "\n"); file:close()
for line in io.lines(name) do io.write("<", line, ">") end; print()
file = assert(io.open(name, "r+")); file:seek("end"); file:write("four\n"); file:seek("set", 4); print(file:read("l"), file:read("n"), file:read("a")); file:close()
print(os.rename(name, name .. ".new"), os.remove(name .. ".new"), (io.open(name)))
print(os.execute("exit 3")); local pipe = io.popen("echo from a child; exit 4"); print(pipe:read("a"), pipe:close())
print(os.getenv("HOME"), os.time({ year = 2000, month = 1, day = 1, hour = 12 }) > 0, os.date("!%Y-%m-%d", 86400))
local weak = setmetatable({}, { __mode = "k" }); for i = 1, 1000 do weak[{}] = i end; collectgarbage(); print(next(weak))
local big = {}; for i = 1, 200000 do big[i] = i end; print(#big, #string.rep("ab", 1000000))
io.stderr:write("to standard error\n"); io.stdout:write("done\n"); os.exit(5, true)
