package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// figure is one line of the table.
type figure struct{ name, unit string }

// Columns that have names of their own; other builds go by their paths.
const (
	limit  = "limit"
	debian = "Debian's"
	ours   = "ours"
)

// results is what has been measured: by figure, and by column, one sample a round.
type results struct {
	columns []string
	figures []figure
	samples map[figure]map[string][]float64
}

func newResults(columns []string) *results {
	return &results{columns: columns, samples: make(map[figure]map[string][]float64)}
}

// add takes one round's value of a figure. NaN is for what that column cannot do.
func (t *results) add(f figure, column string, value float64) {
	if t.samples[f] == nil {
		t.figures = append(t.figures, f)
		t.samples[f] = make(map[string][]float64)
	}
	if !math.IsNaN(value) {
		t.samples[f][column] = append(t.samples[f][column], value)
	}
}

// median is NaN where there is nothing.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile is the value that p of a hundred do not exceed; there must be one.
func percentile[T cmp.Ordered](values []T, p int) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// absent is the cell of what could not be measured.
const absent = "–"

// number has three digits, or all those before the point, in groups of three; a whole
// number has nothing after it.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return absent
	}
	decimals := 0
	for edge := 100.0; v != math.Trunc(v) && math.Abs(v) < edge && decimals < 4; edge /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

// cell is the median, and from where to where the rounds went where they differ.
func cell(values []float64) string {
	text := number(median(values))
	if len(values) > 1 {
		if low, high := number(slices.Min(values)), number(slices.Max(values)); low != high {
			text += " (" + low + " to " + high + ")"
		}
	}
	return text
}

// others are the columns that ours are divided by.
func (t *results) others() []string {
	return slices.DeleteFunc(slices.Clone(t.columns), func(c string) bool { return c == ours })
}

// markdown writes the table: a column for each daemon and one for each quotient of
// ours and another's median.
func (t *results) markdown(out io.Writer) error {
	head := append([]string{"figure"}, t.columns...)
	for _, other := range t.others() {
		head = append(head, ours+" / "+other)
	}
	lines := [][]string{head, slices.Repeat([]string{"---:"}, len(head))}
	lines[1][0] = "---"
	for _, f := range t.figures {
		line := []string{f.name}
		if f.unit != "" {
			line[0] += ", " + f.unit
		}
		for _, column := range t.columns {
			line = append(line, cell(t.samples[f][column]))
		}
		for _, other := range t.others() {
			line = append(line, number(median(t.samples[f][ours])/median(t.samples[f][other])))
		}
		lines = append(lines, line)
	}
	for _, line := range lines {
		for i := range line {
			line[i] = strings.ReplaceAll(line[i], "|", `\|`)
		}
		if _, err := fmt.Fprintf(out, "| %s |\n", strings.Join(line, " | ")); err != nil {
			return err
		}
	}
	return nil
}

// json writes every sample.
func (t *results) json(out io.Writer) error {
	type row struct {
		Figure  string               `json:"figure"`
		Unit    string               `json:"unit"`
		Samples map[string][]float64 `json:"samples"` // by column
	}
	rows := []row{}
	for _, f := range t.figures {
		rows = append(rows, row{f.name, f.unit, t.samples[f]})
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"columns": t.columns, "rows": rows})
}
