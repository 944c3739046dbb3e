# What bash has beyond a POSIX shell. Its output is compared with Linux's.
cd "$(mktemp -d)" || exit 1
echo "== arrays"
list=(one "two words" three); list+=(four); echo "${#list[@]} ${list[1]} ${list[@]:2:2} ${!list[@]}"
declare -A map=([a]=1 [b]=2); map[c]=3; for key in "${!map[@]}"; do echo "$key=${map[$key]}"; done | sort
mapfile -t lines < <(printf 'x\ny\n'); echo "${lines[*]}"; unset 'list[0]'; echo "${list[@]}"
echo "== words"
text='Hello World'; echo "${text,,} ${text^^} ${text/World/there} ${text:0:5} ${text//o/0}"
echo {a..e} {1..10..3} x{1,2}y; [[ $text =~ ^(H.*)\ (W.*)$ ]] && echo "${BASH_REMATCH[2]}"; printf '%q %s\n' "a b" "$((16#ff ** 2))"
shopt -s extglob; [[ foobar == +(foo|bar) ]] && echo glob; (( 5 > 3 )) && echo more; let n=5*5; echo $n; for ((i = 0; i < 3; i++)); do echo -n "$i "; done; echo
echo "== processes"
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo "status $?"; tee >(wc -l) < <(seq 7) > /dev/null; wait; sleep 0.1
coproc doubler { while read -r n; do echo $((n * 2)); done; }; echo 21 >&"${doubler[1]}"; read -r answer <&"${doubler[0]}"; echo "$answer"; kill $doubler_PID; wait $doubler_PID 2>/dev/null
false | true | false; echo "${PIPESTATUS[*]}"; set -o pipefail; false | true; echo $?; set +o pipefail
cat <<< "a here string"; exec {fd}> file; echo through >&$fd; exec {fd}>&-; cat file
echo "== traps and jobs"
trap 'echo got INT' INT; kill -INT $$; trap 'echo error' ERR; false; trap - ERR; (trap 'echo bye' EXIT)
set -m; sleep 30 & sleep 30 & jobs | wc -l; kill %1; wait %1 2>/dev/null; echo "first $?"; kill -STOP %2; sleep 0.1; jobs %2 | grep -c Stopped; kill -CONT %2; kill %2; wait %2 2>/dev/null; echo "second $?"; set +m
{ sleep 0.05; exit 4; } & wait -n; echo "any $?"; read -t 0.1 nothing < <(sleep 1); [ $? -gt 128 ] && echo "read timed out"
recurse() { local -i depth=$1; ((depth == 0)) && return 7; recurse $((depth - 1)); }; recurse 50; echo "deep $?"
printf -v made '%03d' 7; echo "$made" "${made@Q}"; echo "$BASHPID" | grep -c '^[0-9]*$'; type -t cd; compgen -b | grep -c '^read$'
echo done
