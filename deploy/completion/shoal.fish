# Completion of `shoal` for fish: asks the program itself.

function __shoal_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l reply ($program complete -- $words "$current" </dev/null 2>/dev/null)
    # "--cwd=" stays in front of what is completed behind it.
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    switch "$reply[1]"
        case files
            string replace -r -- '^' "$option" (__fish_complete_path "$value")
        case directories
            string replace -r -- '^' "$option" (__fish_complete_directories "$value" '')
        case 'command*'
            set -l first (math (string replace 'command ' '' "$reply[1]") + 1)
            complete -C (string join ' ' -- (string escape -- $words[$first..-1]) "$current")
        case '*'
            printf '%s\n' $reply[2..-1]
    end
end

complete -c shoal -f -a '(__shoal_complete)'
