# Runs $1. When standard input ends, the whole process group is asked to end, and killed five seconds later: the program
# holds the other end, and the system closes it however the program dies.
exec 3<&0
sh -c "$1" </dev/null 3<&- &
command=$!
(
	cat >/dev/null <&3
	exec 3<&-
	trap '' TERM
	kill -TERM 0
	sleep 5
	kill -KILL 0
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$command"
status=$?
kill -KILL "$watch"
exit "$status"
