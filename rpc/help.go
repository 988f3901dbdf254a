package rpc

import "strings"

// signature is the type of the result, then those of the parameters, as
// system.methodSignature gives them.
func (m *Method) signature() []string {
	types := []string{m.Returns.Type}
	for _, p := range m.Params {
		types = append(types, p.Type)
	}
	return types
}

// help is the text of system.methodHelp: free text, an empty line, then a line
// for each parameter and one for the result, which clients may parse.
//
// Source: contract/rpc.md section 7.
func (m *Method) help() string {
	var b strings.Builder
	b.WriteString(m.Help)
	b.WriteString("\n\n")
	for _, p := range m.Params {
		p.write(&b, "@param")
	}
	m.Returns.write(&b, "@return")
	return b.String()
}

func (p Param) write(b *strings.Builder, tag string) {
	name := p.Name
	if name == "" {
		name = "result"
	}
	b.WriteString(strings.TrimRight(strings.Join([]string{tag, p.Type, name, p.Text}, " "), " "))
	b.WriteByte('\n')
}
