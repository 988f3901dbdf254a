# supervisorctl completion for bash: source <(supervisorctl completion bash)
_supervisorctl() {
    local line=${COMP_LINE:0:COMP_POINT} current i
    local -a words options rest
    read -ra words <<<"$line"
    current=
    [[ $line == *[[:space:]] ]] || { current=${words[-1]}; unset 'words[-1]'; }
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
            -[csuprot] | --configuration | --serverurl | --username | --password | --history_file | --timeout | --state)
                if ((i + 1 == ${#words[@]})); then # its argument is what is typed
                    COMPREPLY=()
                    [[ ${words[i]} != -[cr] && ${words[i]} != --configuration && ${words[i]} != --history_file ]] ||
                        mapfile -t COMPREPLY < <(compgen -f -- "$current")
                    compopt -o filenames 2>/dev/null
                    return
                fi
                options+=("${words[i]}" "${words[i + 1]}")
                ((i++))
                ;;
            -*) options+=("${words[i]}") ;;
            *)
                rest=("${words[@]:i}")
                break
                ;;
        esac
    done
    mapfile -t COMPREPLY < <("${words[0]}" "${options[@]}" completion words "${rest[@]}" ".$current" 2>/dev/null)
    # bash parts words at colons: what stands before the last one is there already.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    fi
}
complete -F _supervisorctl supervisorctl
