# Runs the other scripts, one after the other: `all.sh FOLDER`.
for script in ash.sh applets.sh bash.sh guest.lua; do
    echo "=== $script"
    case $script in
    bash.sh) bash "$1/$script" ;;
    *.lua) lua "$1/$script"; echo "status $?" ;;
    *) sh "$1/$script" ;;
    esac
done 2>&1 < /dev/null | sed "s,$1/,,"
