# Runs "$@". Ends the whole process group when the command ends, or when standard input does:
# the sandbox holds the other end, and the system closes it however the sandbox dies.
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
(cat >/dev/null; kill -KILL 0) <&3 3<&- &
exec 3<&-
wait "$command"
status=$?
# A program that fails says why; one that was killed cannot.
[ "$status" -le 128 ] || echo "ended by signal $((status - 128))" >&2
kill -KILL 0
