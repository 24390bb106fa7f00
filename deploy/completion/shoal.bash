# Completion of `shoal` for bash: asks the program itself. Found by the package bash-completion; else source it.

# Sets words to what was typed behind "shoal" up to the cursor: bash has cut it at : = and @, too.
_shoal_words() {
  local line=${COMP_LINE:0:COMP_POINT} i piece joined=
  words=()
  for ((i = COMP_CWORD; i > 0; --i)); do
    piece=${COMP_WORDS[i]}
    while [[ $line != *"$piece" ]]; do piece=${piece%?}; done
    line=${line%"$piece"}
    joined=$piece$joined
    if [[ $line == *[[:space:]] ]]; then
      words=("${joined//[\'\"\\]/}" "${words[@]}")
      joined=
      line=${line%"${line##*[![:space:]]}"}
    fi
  done
}

_shoal() {
  local words reply current kept option='' i
  _shoal_words
  current=${words[${#words[@]} - 1]}
  # What bash will not replace: it cuts a word before an @, and behind the others.
  i=${COMP_WORDBREAKS//@/}
  kept=${current%"${current##*["$i"]}"}
  mapfile -t reply < <("${1/#\~/$HOME}" complete -- "${words[@]}" < /dev/null 2> /dev/null)
  COMPREPLY=()
  [[ $current != --*=* ]] || option=${current%%=*}=
  case ${reply[0]-} in
    files | directories)
      compopt -o filenames
      [[ ${reply[0]} == files ]] && i=-f || i=-d
      mapfile -t COMPREPLY < <(compgen -P "$option" "$i" -- "${current#"$option"}")
      ;;
    command*)
      compopt -o filenames
      # The program, or what it is given.
      ((${#words[@]} == ${reply[0]#command } + 1)) && i=-c || i=-f
      mapfile -t COMPREPLY < <(compgen "$i" -- "$current")
      ;;
    *) COMPREPLY=("${reply[@]:1}") ;;
  esac
  for i in "${!COMPREPLY[@]}"; do
    COMPREPLY[i]=${COMPREPLY[i]%%$'\t'*}
    COMPREPLY[i]=${COMPREPLY[i]#"$kept"}
  done
}

complete -F _shoal shoal
