# Programs of busybox over files in memory. The output is compared with Linux's.
dir=$(mktemp -d); cd "$dir" || exit 1
echo "== files"
mkdir -p tree/a/b tree/c; echo one > tree/a/one; echo two > tree/a/b/two; ln -s a/one tree/link; ln tree/a/one tree/c/hard
find tree | sort
find tree -type f -name 't*' -exec cat {} \;
find tree -type l; readlink tree/link; stat -c '%h %s %F' tree/a/one
cp -a tree copy; diff -r tree copy && echo same
mv copy/a copy/z; ls -1 copy; rm -r copy/z; ls -1 copy; rmdir empty 2>/dev/null || echo "no empty"
chmod 640 tree/a/one; stat -c %a tree/a/one; touch -d '2001-02-03 04:05:06' tree/a/one; stat -c %y tree/a/one | cut -d. -f1
du -s tree > /dev/null && echo "du ran"; basename /a/b.c .c; dirname /a/b/c; realpath tree/../tree/link | sed "s,$dir,DIR,"
echo "== text"
seq 1 20 > numbers
grep -c 1 numbers; grep -v '[1-9]' numbers; grep -rl two tree
sed -n '3,5p;s/7/seven/p' numbers; sed 's/\(.\)\(.\)/\2\1/' numbers | tail -n 2
awk '{ sum += $1; if ($1 % 5 == 0) print NR ": " $1 } END { print "sum " sum, 10 / 4, length("four") }' numbers
sort -rn numbers | head -n 3; printf 'b 2\na 1\nb 2\n' | sort | uniq -c; printf 'a:b:c\n' | cut -d: -f2; echo hello | tr a-y b-z
wc numbers; tac numbers | head -n 1; paste -d, numbers numbers | sed -n 2p; nl numbers | tail -n 1 | tr -d ' \t'; fold -w 3 <<X
abcdefg
X
printf '%05.2f|%-5s|%x\n' 3.14159 ab 255; expr 3 \* 4; factor 1001; echo 'scale=5; 22/7' | bc 2>/dev/null; seq -s, 5
echo "== bytes"
dd if=/dev/zero of=zeros bs=1k count=100 2>/dev/null; wc -c zeros; dd if=numbers bs=1 skip=2 count=5 2>/dev/null; md5sum numbers; sha256sum zeros
od -c numbers | head -n 2; hexdump -C numbers | head -n 1; cmp zeros numbers
truncate -s 10 zeros; wc -c < zeros; head -c 5 numbers | base64; strings /bin/busybox 2>/dev/null | grep -c BusyBox > /dev/null && echo strings
echo "== archives"
tar cf all.tar tree; tar tf all.tar | sort; mkdir out; tar xf all.tar -C out; diff -r tree out/tree && echo unpacked
gzip -k numbers; gunzip -c numbers.gz | cmp - numbers && echo gzip; bzip2 -k numbers && bunzip2 -c numbers.bz2 | cmp - numbers && echo bzip2
tar czf all.tgz tree; tar tzf all.tgz | wc -l; echo tree/a/one | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null; xz -dc < /dev/null 2>/dev/null; echo "xz $?"
echo "== processes"
sh -c 'echo child $0' name; echo 'a b c' | xargs -n 1 echo item; env -i A=1 env; timeout 0.2 sleep 5; echo "timed out $?"
sleep 30 & pid=$!; kill -0 $pid && echo alive; kill $pid; wait $pid 2>/dev/null; kill -0 $pid 2>/dev/null || echo gone
time -f '' true 2>/dev/null; nohup true 2>/dev/null; setsid true; usleep 1000; test -t 0 || echo "no terminal"; mktemp -u XXXXXX | wc -c
id -u; whoami; pwd | sed "s,$dir,DIR,"; date -u -d @86400 '+%Y-%m-%d %H:%M:%S'; cal 2 2000 | head -n 1 | tr -d ' '; tty
echo "== editors"
printf 'first\nsecond\nthird\n' > edited
ed edited <<X > /dev/null
2d
w
q
X
cat edited; printf 'first\nsecond\n' > left; printf 'first\nother\n' > right; diff left right; diff -u left right | tail -n 3 > d.patch; patch -p0 left < /dev/null > /dev/null 2>&1; echo "patch $?"
cd /; rm -r "$dir"; [ -e "$dir" ] || echo removed
