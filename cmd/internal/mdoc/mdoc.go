// Package mdoc makes the manual pages in cmd/internal/pages. Their prose is in the
// directory source; the lists in them are made of what the programs print as help, and
// of the table of keys, so that pages and programs cannot say different things. The
// tests of the programs make the pages, and fail where one is not up to date.
package mdoc

import (
	"embed"
	"fmt"
	"strings"

	"supervisord/spec/manual"
)

//go:embed source
var sources embed.FS

// Page is the page of that name, such as supervisord.8, with its lists in place of
// their marks, which are words in capitals between at signs.
func Page(name string, lists map[string]string) (string, error) {
	text, err := sources.ReadFile("source/" + name)
	if err != nil {
		return "", err
	}
	page := ".\\\" Made from cmd/internal/mdoc/source/" + name + " by go generate. Do not edit.\n" + string(text)
	for mark, list := range lists {
		if !strings.Contains(page, "@"+mark+"@\n") {
			return "", fmt.Errorf("the page %s has no place for %s", name, mark)
		}
		page = strings.Replace(page, "@"+mark+"@\n", list, 1)
	}
	return page, nil
}

// Options is the list of options in a text of --help: lines such as
// "-c/--configuration FILENAME -- what it does", indented lines that continue with it, and
// headings that end with a colon.
func Options(help string) string {
	var b strings.Builder
	open := false
	end := func() {
		if open {
			b.WriteString(".El\n")
		}
		open = false
	}
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, "\n")
		option, meaning, isOption := strings.Cut(line, " -- ")
		switch {
		case strings.HasPrefix(line, "-") && isOption:
			if !open {
				b.WriteString(".Bl -tag -width Ds\n")
				open = true
			}
			b.WriteString(".It " + flags(option) + "\n" + Escape(meaning) + "\n")
		case open && strings.HasPrefix(line, "  "):
			b.WriteString(Escape(strings.TrimSpace(line)) + "\n")
		case strings.HasSuffix(line, ":") && line != "Options:":
			end()
			b.WriteString(".Ss " + Escape(strings.TrimSuffix(line, ":")) + "\n")
		case line == "":
			continue
		default:
			end()
		}
	}
	end()
	return b.String()
}

// flags words the head of an option, such as -u/--user USER.
func flags(text string) string {
	names, argument, has := strings.Cut(text, " ")
	var words []string
	for _, name := range strings.Split(names, "/") {
		words = append(words, "Fl "+Escape(strings.TrimPrefix(name, "-")))
	}
	head := strings.Join(words, " , ")
	if has {
		head += " Ar " + Escape(argument)
	}
	return head
}

// Actions is a list of what supervisorctl does, of the help of each action: lines such
// as "stop <name>\tStop a process"; one that begins with a tab continues with the last.
func Actions(helps []string) string {
	var b strings.Builder
	b.WriteString(".Bl -tag -width Ds\n")
	for _, help := range helps {
		for line := range strings.Lines(help) {
			head, meaning, both := strings.Cut(strings.TrimRight(line, "\n"), "\t")
			switch meaning = strings.Trim(meaning, "\t"); {
			case head == "" || !both && !strings.ContainsAny(head, "<["):
				b.WriteString(lines(Escape(head+meaning)) + "\n")
			default:
				b.WriteString(".It Ic " + Escape(strings.TrimSpace(head)) + "\n")
				if meaning != "" {
					b.WriteString(lines(Escape(meaning)) + "\n")
				}
			}
		}
	}
	b.WriteString(".El\n")
	return b.String()
}

// Keys is a subsection for each kind of section of a configuration, with its keys.
func Keys() string {
	var b strings.Builder
	first := map[string]string{} // the section that tells of a key in the same words
	for _, s := range manual.Sections() {
		fmt.Fprintf(&b, ".Ss [%s]\n%s\n", Escape(s.Kind), lines(Escape(s.Meaning)))
		var known []string
		open := false
		for _, e := range s.Keys {
			same := e.Name + e.Meaning + e.Facts()
			if other := first[same]; other == "program:x" {
				known = append(known, e.Name)
				continue
			}
			first[same] = s.Kind
			if !open {
				b.WriteString(".Bl -tag -width Ds\n")
				open = true
			}
			fmt.Fprintf(&b, ".It Ic %s\n%s\n", Escape(e.Name), lines(Escape(e.Meaning)))
			fact := func(name, text string) {
				if text != "" {
					fmt.Fprintf(&b, ".br\n%s: %s\n", name, Escape(strings.TrimSuffix(text, ".")))
				}
			}
			fact("Type", e.TypeText())
			fact("Default", e.Default)
			fact("Example", e.Example)
			fact("Since", e.SinceText())
			fact("Change", e.Effect)
		}
		if open {
			b.WriteString(".El\n")
		}
		if len(known) > 0 {
			fmt.Fprintf(&b, ".Pp\nAs in [program:x]: %s.\n", Escape(strings.Join(known, ", ")))
		}
	}
	return b.String()
}

// Escape writes text so that roff prints it as it is, on one line.
func Escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// lines begins a line with each sentence, as roff wants it.
func lines(text string) string { return strings.ReplaceAll(text, ". ", ".\n") }
