# supervisorctl completion for fish: supervisorctl completion fish | source
function __supervisorctl_complete
    set -l words (commandline -opc)
    set -l options
    set -l program $words[1]
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -c -s -u -p -r -o -t --configuration --serverurl --username --password --history_file --timeout --state
                if not set -q words[2] # its argument is what is typed
                    contains -- $words[1] -c -r --configuration --history_file
                    and __fish_complete_path (commandline -ct)
                    return
                end
                set -a options $words[1..2]
                set -e words[1..2]
            case '-*'
                set -a options $words[1]
                set -e words[1]
            case '*'
                break
        end
    end
    $program $options completion words $words .(commandline -ct) 2>/dev/null
end
complete -c supervisorctl -f -a '(__supervisorctl_complete)'
