# Completion of `python run.py` and `./run.py` for fish.
set -g _tola_python @PYTHON@
set -g _tola_run @RUN@

# Print the words after run.py if the line starts this one; fail if it does not.
function __tola_words
    set -l tokens (commandline -opc)
    set -l at 1
    for word in $tokens
        if test (string replace -r '.*[/\\\\]' '' -- $word) = run.py
            set -l there (string replace -r '^~' $HOME -- $word)
            test (realpath -- $there 2>/dev/null)_ = (realpath -- $_tola_run)_; or return 1
            test $at -lt (count $tokens); and printf '%s\n' $tokens[(math $at + 1)..-1]
            return 0
        end
        set at (math $at + 1)
    end
    return 1
end

function __tola_is_run
    __tola_words >/dev/null
end

function __tola_offer
    set -l current (commandline -ct)
    for line in ($_tola_python $_tola_run completion words -- (__tola_words) "$current" 2>/dev/null)
        if test $line = :files
            set -l kept (string match -r '^.*=' -- $current)
            for path in (__fish_complete_path (string replace -- "$kept" '' $current))
                printf '%s%s\n' "$kept" $path
            end
        else
            printf '%s\n' $line
        end
    end
end

for command in run.py python python3
    complete -c $command -n __tola_is_run -f -a '(__tola_offer)'
end

# Install it:
#   python run.py completion fish > ~/.config/fish/conf.d/tola.fish
# Try it in this shell:
#   python run.py completion fish | source
