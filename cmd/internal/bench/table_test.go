package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	rows := []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 3, 2, 1}, 2.5},
	}
	for _, r := range rows {
		if got := median(r.values); got != r.want {
			t.Errorf("median of %v: %v, want %v", r.values, got, r.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing: %v", got)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	rows := []struct {
		values  []int
		p, want int
	}{
		{hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred, 0, 1},
		{[]int{3}, 50, 3}, {[]int{3}, 99, 3},
		{[]int{2, 1}, 50, 1}, {[]int{2, 1}, 51, 2},
	}
	for _, r := range rows {
		if got := percentile(r.values, r.p); got != r.want {
			t.Errorf("%d of a hundred of %v: %d, want %d", r.p, r.values, got, r.want)
		}
	}
}

func TestNumber(t *testing.T) {
	rows := []struct {
		value float64
		want  string
	}{
		{0, "0"}, {4417, "4,417"}, {1234567.8, "1,234,568"}, {123.4, "123"}, {16, "16"}, {12.34, "12.3"}, {1.234, "1.23"},
		{0.1234, "0.123"}, {0.01234, "0.0123"}, {0.00001, "0.0000"}, {-1234, "-1,234"}, {-123, "-123"}, {100000, "100,000"},
		{math.NaN(), "–"}, {math.Inf(1), "–"},
	}
	for _, r := range rows {
		if got := number(r.value); got != r.want {
			t.Errorf("%v: %q, want %q", r.value, got, r.want)
		}
	}
}

// filled has a figure that all have, one without a limit, and one that ours alone has.
func filled() *results {
	t := newResults([]string{limit, debian, "old|build", ours})
	start, rss, threads := figure{"start", "ms"}, figure{"RSS", "MiB"}, figure{"threads", ""}
	for _, sample := range []struct {
		figure
		column string
		value  float64
	}{
		{start, limit, 100}, {start, debian, 4000}, {start, "old|build", 800}, {start, ours, 400},
		{rss, limit, math.NaN()}, {rss, debian, 30}, {rss, "old|build", 10}, {rss, ours, 10},
		{threads, ours, 16},
		{start, limit, 90}, {start, debian, 4100}, {start, "old|build", 805}, {start, ours, 500},
		{start, limit, 130}, {start, debian, 4200}, {start, "old|build", 820}, {start, ours, 300},
		{rss, ours, 10},
	} {
		t.add(sample.figure, sample.column, sample.value)
	}
	return t
}

func TestMarkdown(t *testing.T) {
	var out strings.Builder
	if err := filled().markdown(&out); err != nil {
		t.Fatal(err)
	}
	const want = `| figure | limit | Debian's | old\|build | ours | ours / limit | ours / Debian's | ours / old\|build |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| start, ms | 100 (90 to 130) | 4,100 (4,000 to 4,200) | 805 (800 to 820) | 400 (300 to 500) | 4 | 0.0976 | 0.497 |
| RSS, MiB | – | 30 | 10 | 10 | – | 0.333 | 1 |
| threads | – | – | – | 16 | – | – | – |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := filled().json(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Columns []string
		Rows    []struct {
			Figure, Unit string
			Samples      map[string][]float64
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 3 || len(got.Columns) != 4 {
		t.Fatalf("got %s", &out)
	}
	want := map[string][]float64{debian: {30}, "old|build": {10}, ours: {10, 10}}
	if diff := cmp.Diff(want, got.Rows[1].Samples); diff != "" || got.Rows[1].Figure != "RSS" || got.Rows[1].Unit != "MiB" {
		t.Errorf("%+v: %s", got.Rows[1], diff)
	}
}
