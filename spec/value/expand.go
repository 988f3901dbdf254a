package value

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Expand replaces each %(name)s of a value by what names says. It knows the
// whole of Python's % formatting with named values: flags, width, precision,
// every conversion, and %% for a percent sign. subject is what an error names,
// such as program:web.command.
//
// Source: contract/config.md section 3.
//
// Differs: a lone %s, which in Supervisor becomes a dump of every name and
// value, is an error; so is a width or precision above 65536.
func Expand(value string, names *Names, subject string) (string, error) {
	if strings.IndexByte(value, '%') < 0 {
		return value, nil
	}
	e := expansion{format: []rune(value), names: names}
	err := e.run()
	if err == nil {
		return e.out.String(), nil
	}
	failure := &ExpandError{value: value, subject: subject, names: names, at: string(e.format[e.percent:]), name: e.name, why: err}
	if errors.As(err, &failure.unknown) {
		failure.unknowns = append([]string{failure.unknown.name}, e.otherUnknown(failure.unknown.name)...)
	}
	return "", failure
}

// otherUnknown are the unknown names in what follows the first of them, each once.
func (e *expansion) otherUnknown(first string) (list []string) {
	for e.pos < len(e.format) {
		c := e.format[e.pos]
		e.pos++
		switch {
		case c != '%':
		case e.peek() == '%':
			e.pos++
		case e.peek() == '(':
			var unknown *unknownName
			err := e.parseName()
			if errors.As(err, &unknown) && unknown.name != first && !slices.Contains(list, unknown.name) {
				list = append(list, unknown.name)
			}
		}
	}
	return list
}

// Errors of a badly formatted value, in Python's words.
var (
	errIncomplete    = errors.New("incomplete format")
	errIncompleteKey = errors.New("incomplete format key")
	errNotEnough     = errors.New("not enough arguments for format string")
	errStarWantsInt  = errors.New("* wants int")
	errWidth         = errors.New("width too big")
	errPrecision     = errors.New("precision too big")
)

// maxField bounds width and precision, so that no value of a few characters
// takes the daemon's memory.
const maxField = 1 << 16

// expansion is one run over a format. It works on characters, not bytes: widths
// and the indexes in messages count characters.
type expansion struct {
	format  []rune
	pos     int
	percent int    // where the last % stands
	name    string // that its %(name) names, "" for none
	names   *Names
	out     strings.Builder
	arg     argument // what the conversion at hand takes
}

// argument is the value that a conversion takes. Before any %(name) it is the
// whole mapping, of which only its type can show.
type argument struct {
	Var
	named bool
	taken bool
}

// typeName is what Python calls the argument's type.
func (a argument) typeName() string {
	switch {
	case !a.named:
		return "dict"
	case a.isInt:
		return "int"
	}
	return "str"
}

// field is one conversion: %[(name)][flags][width][.precision]conv.
type field struct {
	left, plus, blank, alt, zero bool

	width int // -1 when not given
	prec  int // -1 when not given
	conv  rune
}

func (e *expansion) run() error {
	for e.pos < len(e.format) {
		c := e.format[e.pos]
		e.pos++
		if c != '%' {
			e.out.WriteRune(c)
			continue
		}
		e.percent, e.name = e.pos-1, ""
		if e.peek() == '%' {
			e.pos++
			e.out.WriteByte('%')
			continue
		}
		f, err := e.parseField()
		if err != nil {
			return err
		}
		if err := e.convert(f); err != nil {
			return err
		}
	}
	return nil
}

// peek is the next character, or 0 at the end.
func (e *expansion) peek() rune {
	if e.pos < len(e.format) {
		return e.format[e.pos]
	}
	return 0
}

// parseField reads what stands after a %.
func (e *expansion) parseField() (field, error) {
	f := field{width: -1, prec: -1}
	if e.peek() == '(' {
		if err := e.parseName(); err != nil {
			return f, err
		}
	}
	e.parseFlags(&f)
	var err error
	if f.width, err = e.parseNumber(errWidth); err != nil {
		return f, err
	}
	if e.peek() == '.' {
		e.pos++
		if f.prec, err = e.parseNumber(errPrecision); err != nil {
			return f, err
		}
		f.prec = max(f.prec, 0)
	}
	if c := e.peek(); c == 'h' || c == 'l' || c == 'L' {
		e.pos++
	}
	if e.pos == len(e.format) {
		return f, errIncomplete
	}
	f.conv = e.format[e.pos]
	e.pos++
	return f, nil
}

// parseName reads (name), in which parentheses may nest, and makes its value the
// argument.
func (e *expansion) parseName() error {
	start := e.pos + 1
	for depth := 0; ; e.pos++ {
		switch {
		case e.pos == len(e.format):
			return errIncompleteKey
		case e.format[e.pos] == '(':
			depth++
		case e.format[e.pos] == ')':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	name := string(e.format[start:e.pos])
	e.pos++
	v, ok := e.names.lookup(name)
	if !ok {
		return &unknownName{name}
	}
	e.name, e.arg = name, argument{Var: v, named: true}
	return nil
}

func (e *expansion) parseFlags(f *field) {
	for ; ; e.pos++ {
		switch e.peek() {
		case '-':
			f.left = true
		case '+':
			f.plus = true
		case ' ':
			f.blank = true
		case '#':
			f.alt = true
		case '0':
			f.zero = true
		default:
			return
		}
	}
}

// parseNumber reads a width or a precision, or a * that takes it from the
// argument; -1 when there is none.
func (e *expansion) parseNumber(tooBig error) (int, error) {
	if e.peek() == '*' {
		e.pos++
		a, err := e.take()
		if err != nil {
			return 0, err
		}
		if !a.isInt {
			return 0, errStarWantsInt
		}
		// The argument is taken now, so the conversion itself will find none.
		return 0, nil
	}
	n, digits := 0, false
	for c := e.peek(); c >= '0' && c <= '9'; c = e.peek() {
		if n, digits = n*10+int(c-'0'), true; n > maxField {
			return 0, tooBig
		}
		e.pos++
	}
	if !digits {
		return -1, nil
	}
	return n, nil
}

// take is the argument of the conversion at hand. It can be had once.
func (e *expansion) take() (argument, error) {
	if e.arg.taken {
		return argument{}, errNotEnough
	}
	e.arg.taken = true
	return e.arg, nil
}

// convert writes the argument as f asks.
func (e *expansion) convert(f field) error {
	a, err := e.take()
	if err != nil {
		return err
	}
	switch f.conv {
	case 's', 'r', 'a':
		if !a.named {
			return errNotEnough
		}
		e.writeText(f, firstRunes(textOf(f.conv, a), f.prec))
	case 'c':
		text, err := charOf(a)
		if err != nil {
			return err
		}
		e.writeText(f, text)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		if !a.isInt {
			want := "a real number"
			if strings.ContainsRune("oxX", f.conv) {
				want = "an integer"
			}
			return fmt.Errorf("%%%c format: %s is required, not %s", f.conv, want, a.typeName())
		}
		e.writeInt(f, a.n)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if !a.isInt {
			return fmt.Errorf("must be real number, not %s", a.typeName())
		}
		e.writeFloat(f, float64(a.n))
	default:
		shown := f.conv
		if shown < 31 || shown > 126 {
			shown = '?'
		}
		return fmt.Errorf("unsupported format character '%c' (0x%x) at index %d", shown, f.conv, e.pos-1)
	}
	return nil
}

// textOf is the argument of an s, r or a conversion.
func textOf(conv rune, a argument) string {
	switch {
	case a.isInt || conv == 's':
		return a.text
	case conv == 'r':
		return PyRepr(a.text)
	}
	return pyASCII(a.text)
}

// charOf is the argument of a c conversion: one character, or its number.
func charOf(a argument) (string, error) {
	switch {
	case a.isInt && (a.n < 0 || a.n > utf8.MaxRune):
		return "", errors.New("%c arg not in range(0x110000)")
	case a.isInt:
		return string(rune(a.n)), nil
	case a.named && utf8.RuneCountInString(a.text) == 1:
		return a.text, nil
	}
	return "", errors.New("%c requires int or char")
}

// writeText pads a text to the field's width; zeros never pad it.
func (e *expansion) writeText(f field, text string) {
	pad := strings.Repeat(" ", max(f.width-utf8.RuneCountInString(text), 0))
	if f.left {
		e.out.WriteString(text + pad)
	} else {
		e.out.WriteString(pad + text)
	}
}

// writeInt writes a number in the base that the conversion asks for.
func (e *expansion) writeInt(f field, n int64) {
	base, prefix := 10, ""
	switch f.conv {
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(f.conv)
	}
	if !f.alt {
		prefix = ""
	}
	digits, negative := strings.CutPrefix(strconv.FormatInt(n, base), "-")
	if f.conv == 'X' {
		digits = strings.ToUpper(digits)
	}
	digits = strings.Repeat("0", max(f.prec-len(digits), 0)) + digits
	e.writeNumber(f, negative, prefix, digits)
}

// writeFloat writes a number with a fraction or an exponent.
func (e *expansion) writeFloat(f field, x float64) {
	verb, prec := "%", 6
	if f.alt {
		verb = "%#"
	}
	if f.prec >= 0 {
		prec = f.prec
	}
	digits, negative := strings.CutPrefix(fmt.Sprintf(verb+".*"+string(f.conv), prec, x), "-")
	e.writeNumber(f, negative, "", digits)
}

// writeNumber puts the sign and the prefix before the digits and pads to the
// field's width: with zeros after the prefix, or with spaces.
func (e *expansion) writeNumber(f field, negative bool, prefix, digits string) {
	sign := ""
	switch {
	case negative:
		sign = "-"
	case f.plus:
		sign = "+"
	case f.blank:
		sign = " "
	}
	pad := max(f.width-len(sign)-len(prefix)-len(digits), 0)
	switch {
	case f.left:
		e.out.WriteString(sign + prefix + digits + strings.Repeat(" ", pad))
	case f.zero:
		e.out.WriteString(sign + prefix + strings.Repeat("0", pad) + digits)
	default:
		e.out.WriteString(strings.Repeat(" ", pad) + sign + prefix + digits)
	}
}
