#compdef supervisorctl
# supervisorctl completion for zsh: source <(supervisorctl completion zsh)
_supervisorctl() {
    local -a options rest found
    local i
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
            -[csuprot]|--configuration|--serverurl|--username|--password|--history_file|--timeout|--state)
                if ((i + 1 == CURRENT)); then # its argument is what is typed
                    [[ ${words[i]} != (-[cr]|--configuration|--history_file) ]] || _files
                    return
                fi
                options+=("${words[i]}" "${words[i+1]}")
                ((i++))
                ;;
            -*) options+=("${words[i]}") ;;
            *)
                rest=("${(@)words[i,CURRENT-1]}")
                break
                ;;
        esac
    done
    found=("${(@f)$(${words[1]} $options completion words $rest ".${PREFIX}" 2>/dev/null)}")
    compadd -- ${found:#}
}
compdef _supervisorctl supervisorctl
