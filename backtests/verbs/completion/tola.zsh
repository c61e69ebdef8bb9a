# Completion of `python run.py` and `./run.py` for zsh.
typeset -g _tola_python=@PYTHON@ _tola_run=@RUN@

# Offer what may follow the words given.
_tola_offer() {
    local line files=0
    local -a found
    for line in "${(@f)$("$_tola_python" "$_tola_run" completion words -- "$@" 2>/dev/null)}"; do
        line=${line%$'\r'}
        if [[ $line == :files ]]; then
            files=1
        elif [[ -n $line ]]; then
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#found )) && _describe -t tola 'run.py' found
    if (( files )); then
        compset -P '*='
        _files
    fi
}

# Complete a line whose first word is run.py, or a Python that is to start it.
_tola() {
    local first=1
    while (( first < CURRENT )) && [[ ${words[first]:t} != run.py ]]; do
        (( first++ ))
    done
    if (( first < CURRENT )) && [[ ${words[first]/#\~/$HOME} -ef $_tola_run ]]; then
        _tola_offer "${(@Q)words[first + 1,CURRENT]}"
    elif [[ ${words[1]:t} == run.py ]]; then
        _files
    else
        _python "$@"
    fi
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
autoload -Uz _python
compdef _tola run.py python python3

# Install it:
#   python run.py completion zsh > ~/.tola-completion.zsh
#   echo '. ~/.tola-completion.zsh' >> ~/.zshrc
# Try it in this shell:
#   eval "$(python run.py completion zsh)"
