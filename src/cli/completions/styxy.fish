# Completions of styxy for fish: styxy itself says what fits. Written by `styxy completions fish`.
function __styxy_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    # What stands behind the two dashes is another command's.
    if set -l place (contains --index -- -- $words)
        set -l rest
        test $place -lt (count $words); and set rest $words[(math $place + 1)..]
        complete --do-complete (string join ' ' -- (string escape -- $rest) "$current")
    else
        $words[1] completions fish -- $words "$current" 2>/dev/null
    end
end
complete --command styxy --no-files --keep-order --arguments '(__styxy_complete)'
