package value

import (
	"path"
	"slices"
	"strings"

	"supervisord/runtime/lazy"
)

// ShellSyntax lists what of a command only a shell would understand, each once, in
// order: operators, redirections, variables and substitutions outside quotes.
// Supervisor has no shell run a command, so the program gets them as they stand.
// What is a word in quotes may be for a shell that the command itself runs.
func ShellSyntax(command string) (list []string) {
	if !strings.ContainsAny(command, "&|;<>$`") {
		return nil // as most commands are
	}
	words := bareWords(command)
	shell := len(words) > 0 && IsShell(words[0].text)
	for i, w := range words {
		for _, found := range w.shellSyntax(i == len(words)-1, shell) {
			if !slices.Contains(list, found) {
				list = append(list, found)
			}
		}
	}
	return list
}

// IsShell reports whether a program runs commands as a shell does.
func IsShell(program string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"}, path.Base(program))
}

// bareWord is a word of a command as it stands there.
type bareWord struct {
	text string
	bare string // with a space for each part that is in quotes or escaped
	soft string // the same, but with what is in double quotes, unless white space is in that
}

var (
	redirection  = lazy.Regexp(`^([0-9]*|&)>>?($|[^=>])|^[0-9]*<(<|$|[./~][^<>]*$)`)
	variable     = lazy.Regexp(`\$(\{[A-Za-z_][^}]*\}|[A-Za-z_]\w*)`)
	substitution = lazy.Regexp("\\$\\([^)]*\\)?|`[^`]*`?")
)

// ShellVariable is the first variable of a text as a shell, not Supervisor, names it; ""
// for none.
func ShellVariable(text string) string {
	if !strings.Contains(text, "$") {
		return "" // as in most values
	}
	return variable().FindString(text)
}

func (w bareWord) shellSyntax(last, shell bool) (list []string) {
	switch b := w.bare; {
	case slices.Contains([]string{"&&", "||", "|", "|&", "&", ";"}, b):
		return []string{b}
	case redirection().MatchString(b):
		return []string{redirectionSign().FindString(b)}
	case strings.Contains(b, "&&"):
		return []string{"&&"}
	case len(b) > 1 && strings.HasSuffix(b, ";"):
		return []string{";"}
	case last && len(b) > 1 && strings.HasSuffix(b, "&"):
		return []string{"&"}
	}
	list = append(list, substitution().FindAllString(w.bare, -1)...)
	text := w.soft
	if shell {
		text = w.bare
	}
	if len(list) == 0 {
		list = variable().FindAllString(text, -1)
	}
	return list
}

var redirectionSign = lazy.Regexp(`^([0-9]*|&)(>>?|<<?)(&[0-9-])?`)

// bareWords parts a command as Split does, of which it need not be a correct one.
func bareWords(command string) (words []bareWord) {
	var text, bare, soft, quoted strings.Builder
	var quote byte
	inWord := false
	end := func() {
		if inWord {
			words = append(words, bareWord{text.String(), bare.String(), soft.String()})
		}
		text.Reset()
		bare.Reset()
		soft.Reset()
		inWord = false
	}
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(command):
			i++
			text.WriteByte(command[i])
			quoted.WriteByte(' ')
			if quote == 0 {
				bare.WriteByte(' ')
				soft.WriteByte(' ')
			}
			inWord = true
		case quote != 0 && c == quote:
			if s := quoted.String(); quote == '"' && !strings.ContainsAny(s, " \t\n") {
				soft.WriteString(s)
			} else {
				soft.WriteByte(' ')
			}
			bare.WriteByte(' ')
			quoted.Reset()
			quote = 0
		case quote != 0:
			text.WriteByte(c)
			quoted.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
			quoted.Reset()
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			end()
		default:
			text.WriteByte(c)
			bare.WriteByte(c)
			soft.WriteByte(c)
			inWord = true
		}
	}
	end()
	return words
}
