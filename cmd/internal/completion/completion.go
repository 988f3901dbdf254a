// Package completion holds the scripts that teach shells to complete what is typed
// after supervisorctl. They ask supervisorctl itself for the words.
package completion

import _ "embed"

// The scripts, by the name of the shell.
var (
	//go:embed completion.bash
	Bash string
	//go:embed completion.zsh
	Zsh string
	//go:embed completion.fish
	Fish string
)
