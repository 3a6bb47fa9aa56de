# SPDX-License-Identifier: Apache-2.0
#
# completion.bash - words for profiler and its tools on the command line of bash.
#
# Options are those that the program's own --help shows, so that they are always those of the
# program that is installed; here is only what their values may be. Needs nothing but bash. Sourced
# by bash-completion where it is installed under the program's name, or by hand:
#
#	. completion.bash

# The options of a program, one a line: letter (or -), long name, and what its argument is called.
_profiler_options() { # PROGRAM
	"$1" --help 2>/dev/null | sed -nE \
		-e 's/^  -([a-zA-Z0-9]), --([a-z-]+)( ([^ a-z][^ ]*))?( .*|$)/-\1 --\2 \4/p' \
		-e 's/^      --([a-z-]+)( ([^ a-z][^ ]*))?( .*|$)/- --\1 \3/p'
}

# The tools there are beside the recorder and on the PATH.
_profiler_tools() {
	compgen -c profiler- | sed -n 's/^profiler-//p' | grep -vx jail | sort -u
}

# What may stand behind an option; files where nothing better is known.
_profiler_values() { # PROGRAM OPTION WORD
	case $1:$2 in
	*report:--by | *report:-b)
		compgen -W "function event pid tid comm cgroup container cpu mapping source stack
			process thread line" -- "$3"
		;;
	*pprof:--labels | *pprof:-l | *pprof:--split | *pprof:-s)
		compgen -W "process pid inner_pid thread tid cgroup container cpu event" -- "$3"
		;;
	*top:--sort)
		compgen -W "self total name" -- "$3"
		;;
	profiler:--call-graph)
		compgen -W "auto fp none dwarf" -- "$3"
		;;
	*:--cgroup | profiler:-G)
		compgen -d -- "$3"
		;;
	*:--debug-dir)
		compgen -d -- "$3"
		;;
	*:--comm)
		ps -A -o comm= 2>/dev/null | sort -u | while IFS= read -r name; do
			[[ $name == "$3"* ]] && printf '%s\n' "$name"
		done
		;;
	*:--pid | profiler:-p)
		compgen -W "$(cd /proc && printf '%s ' [1-9]*)" -- "$3"
		;;
	*:--output | *:-o | *:--base | *:--new)
		compgen -f -- "$3"
		;;
	esac
}

# Options that begin like the word, or the files that a tool reads.
_profiler_words() { # PROGRAM WORD LIST OF OPTIONS
	local letter long

	if [[ $2 == -* ]]; then
		while read -r letter long _; do
			[[ $letter == "$2" ]] && printf '%s\n' "$letter"
			[[ $long == "$2"* ]] && printf '%s\n' "$long"
		done <<<"$3"
	else
		compgen -d -S / -- "$2"
		compgen -f -X '!*.prof' -- "$2"
	fi
}

# Does an option have an argument?
_profiler_has_value() { # OPTION OPTIONS
	local letter long value

	while read -r letter long value; do
		[[ $letter == "$1" || $long == "$1" ]] && [[ $value ]] && return
	done <<<"$2"
	return 1
}

# Does the command that is to be profiled begin before the current word?
_profiler_in_command() { # CURRENT OPTIONS WORDS...
	local -i at=1 current=$1
	local options=$2 word
	shift 2

	for (( ; at < current; at++)); do
		word=${*:at+1:1}
		case $word in
		--) return 0 ;;
		-*) _profiler_has_value "$word" "$options" && at+=1 ;;
		*) return 0 ;;
		esac
	done
	return 1
}

_profiler() {
	local program=$1 current=$2 before=$3 options name=${1##*/}

	COMPREPLY=()
	if [[ $name == profiler && $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} != -* ]] &&
		type -P "${program}-${COMP_WORDS[1]}" >/dev/null; then
		name=profiler-${COMP_WORDS[1]}
		program=$program-${COMP_WORDS[1]}
	fi
	options=$(_profiler_options "$program")
	if [[ $name == profiler ]] &&
		_profiler_in_command "$COMP_CWORD" "$options" "${COMP_WORDS[@]}"; then
		mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
		return
	fi
	if [[ $before == -* ]] && _profiler_has_value "$before" "$options"; then
		mapfile -t COMPREPLY < <(_profiler_values "$name" "$before" "$current")
		return
	fi
	if [[ $name != profiler || $current == -* ]]; then
		mapfile -t COMPREPLY < <(_profiler_words "$name" "$current" "$options")
	elif [[ $COMP_CWORD == 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_profiler_tools)" -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
	fi
}

complete -o filenames -F _profiler profiler
for _profiler_name in $(_profiler_tools); do
	complete -o filenames -F _profiler "profiler-$_profiler_name"
done
unset _profiler_name
