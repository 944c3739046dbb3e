# What the shell does by itself: words, pipes, here-documents, functions, traps, jobs. Its output is compared with Linux's.
cd "$(mktemp -d)" || exit 1
echo "== words"
set -- one 'two words' three
for word in "$@"; do echo "[$word]"; done
name=value; echo "${name#v} ${name%e} ${#name} ${other:-default} $((6 * 7)) $(echo nested $(echo deep))"
case abc in a*c) echo matched ;; *) echo not ;; esac
echo a*b; touch axb ayb; echo a*b
echo "== pipes"
printf '3\n1\n2\n' | sort | while read number; do echo "<$number>"; done
seq 1 1000 | tail -n 1
yes | head -n 3
(echo left; echo right >&2) 2>&1 | sort
{ echo group; false; } ; echo "status $?"
echo text | (cat; echo end)
seq 100000 | wc -l
echo "== here-documents"
cat <<END
expanded: $name $(echo 'from a command')
END
cat <<'END'
not expanded: $name
END
cat <<-END
	tabs go
END
echo "== functions"
add() { local sum=0; for part; do sum=$((sum + part)); done; echo $sum; }
add 1 2 3 4
countdown() { [ "$1" -gt 0 ] && { echo "$1"; countdown $(($1 - 1)); }; }
countdown 3
echo "== redirections"
exec 3> out; echo to three >&3; exec 3>&-; cat out
echo more >> out; wc -l < out
ls no-such-file 2> errors || echo "failed as it must"
[ -s errors ] && echo "with a message"
read first second < out; echo "$second $first"
echo "== traps"
trap 'echo caught USR1' USR1; kill -USR1 $$; echo after
(trap 'echo leaving' EXIT; exit 3); echo "status $?"
(kill -TERM $(exec sh -c 'echo $PPID')) ; echo "status $?"
sh -c 'kill -SEGV $$' 2>/dev/null; echo "status $?"
(sleep 100 & kill $!; wait $!; echo "waited $?")
echo "== jobs"
sleep 0.1 & one=$!; (exit 5) & two=$!
wait $one; echo "one $?"; wait $two; echo "two $?"
set -m
sleep 50 & kill -STOP %1; sleep 0.1; jobs | sed 's/ *$//'; kill -CONT %1; kill %1; wait %1 2>/dev/null; echo "ended $?"
set +m
echo "== substitutions"
x=$(seq 1 5); echo $x
echo "$(cat <<END
inside
END
)"
mkfifo pipe; (echo through > pipe) & read line < pipe; echo "$line"; wait
echo "== limits"
umask; umask 077; touch private; stat -c %a private
until false; do break; done; n=0; while :; do n=$((n + 1)); [ $n = 5 ] && break; done; echo $n
exec echo done
