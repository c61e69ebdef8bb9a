# Completion of `python run.py` and `./run.py` for bash (3.2 and newer).
_tola_python=@PYTHON@
_tola_run=@RUN@

# Offer what may follow the words given; they are whole, bash splits at = and : too.
_tola_offer() {
    local cur=${!#} kept line files=0
    kept=${cur%"${cur##*[=:]}"}
    while IFS= read -r line; do
        line=${line%$'\r'}
        if [[ $line == :files ]]; then
            files=1
        else
            line=${line%%$'\t'*}
            COMPREPLY+=("$(printf '%q' "${line#"$kept"}")")
        fi
    done < <("$_tola_python" "$_tola_run" completion words -- "$@" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    elif [[ ${#COMPREPLY[@]} == 0 && $files == 0 ]]; then
        compopt +o default +o bashdefault 2>/dev/null
    fi
}

# Complete a line whose first word is run.py, or a Python that is to start it.
_tola() {
    local rest=${COMP_LINE:0:COMP_POINT} word gap count=0 i first=0
    local -a words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        gap=${rest%%[![:space:]]*}
        rest=${rest#"$gap"}
        ((i == COMP_CWORD)) && word=$rest
        rest=${rest#"$word"}
        if [[ -z $gap && $count -gt 0 ]]; then
            words[count - 1]+=$word
        else
            words[count]=$word
            count=$((count + 1))
        fi
    done
    COMPREPLY=()
    while [[ $first -lt $((count - 1)) && ${words[first]##*[/\\]} != run.py ]]; do
        first=$((first + 1))
    done
    word=${words[first]/#\~/$HOME}
    if [[ $first -lt $((count - 1)) && $word -ef $_tola_run ]]; then
        _tola_offer "${words[@]:first + 1}"
    elif [[ ${words[0]##*[/\\]} != run.py ]]; then
        _tola_other "$@"
    fi
}

# Leave any other Python line to bash-completion, if it is there, else to file names.
_tola_other() {
    if ! declare -F _python >/dev/null && declare -F __load_completion >/dev/null; then
        __load_completion python
        _tola_register
    fi
    declare -F _python >/dev/null && _python "$@"
}

_tola_register() {
    complete -o default -o bashdefault -F _tola run.py python python3 py
}
_tola_register

# Install it:
#   python run.py completion bash > ~/.tola-completion.bash
#   echo '. ~/.tola-completion.bash' >> ~/.bashrc
# Try it in this shell:
#   eval "$(python run.py completion bash)"
