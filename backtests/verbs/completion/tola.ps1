# Completion of `python run.py` and `.\run.py` for PowerShell (5.1 and newer).
Register-ArgumentCompleter -Native -CommandName python, python3, py, run.py -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $python = @PYTHON@
    $run = @RUN@
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text.Trim('"', "'") })
    $first = 0
    while ($first -lt $words.Count -and (Split-Path -Leaf $words[$first]) -ne 'run.py') {
        $first++
    }
    if ($first -ge $words.Count) { return }
    $there = Resolve-Path -LiteralPath $words[$first] -ErrorAction SilentlyContinue
    $ours = Resolve-Path -LiteralPath $run -ErrorAction SilentlyContinue
    if (-not $there -or "$there" -ne "$ours") { return }
    $given = @($words | Select-Object -Skip ($first + 1))
    if ($wordToComplete -eq '') { $given += '""' }
    # An empty argument is lost on its way to a program in PowerShell before 7.3: it goes as "".
    & $python $run completion words -- @given 2>$null | ForEach-Object {
        if ($_ -ne ':files') {
            $text, $meaning = $_ -split "`t", 2
            if (-not $meaning) { $meaning = $text }
            [System.Management.Automation.CompletionResult]::new(
                $text, $text, 'ParameterValue', $meaning)
        }
    }
}

# Install it:
#   python run.py completion powershell | Out-File -Append -Encoding utf8 $PROFILE
# Try it in this shell:
#   python run.py completion powershell | Out-String | Invoke-Expression
