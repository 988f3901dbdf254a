package exact

import (
	"math"
	"reflect"
	"testing"
	"time"
)

// written is of every shape that is handed over.
type written struct {
	Embedded
	unseen
	Kind    kind
	Hash    [32]byte
	Part    float64
	Within  *[]string         `json:"within,omitempty"`
	Before  map[string][]byte // nil is another thing than empty
	Nested  map[string]map[string]bool
	Never   time.Time
	Text    string
	List    []string
	Map     map[string]string
	ByPID   map[int]uint64
	Pointer *string
	False   *bool `json:"false,omitempty"`
	Inner   struct{ Text string }
	Bytes   []byte
	Empty   []int
	None    []int
	Numbers [2]int `json:"numbers,omitzero"`
	At      time.Time
	Took    time.Duration
	Written rule
	Raw     Raw
	Hidden  *string `json:"-"`
	private string
}

// Embedded and unseen are part of what they are embedded in.
type Embedded struct{ Device, Inode uint64 }

type unseen struct{ Of string }

type kind string

// rule writes itself down.
type rule struct{ words string }

func (r rule) MarshalText() ([]byte, error)     { return []byte(r.words), nil }
func (r *rule) UnmarshalText(text []byte) error { r.words = string(text); return nil }

// TestExact: what is written is read again, to the byte.
func TestExact(t *testing.T) {
	part, err := Marshal(struct{ A string }{"\x00\xff"})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "plain", "ä", "\xff", "a\xc3", "\x00", "\x00plain", "\ufffd", "\x00\xff", "/srv/\xe4pfel", "{"} {
		before := &written{
			Text: text, List: []string{text, "x"}, Map: map[string]string{text: text}, ByPID: map[int]uint64{-1: 1 << 63, 4000: 0},
			Embedded: Embedded{1 << 63, 5}, unseen: unseen{text}, Kind: kind(text), Hash: [32]byte{31: 0xff}, Part: 0.1, Within: &[]string{},
			Before: map[string][]byte{"gone": nil, "empty": {}}, Nested: map[string]map[string]bool{text: {"x": true, "y": false}},
			Pointer: &text, False: new(bool), Bytes: []byte(text), Empty: []int{}, Numbers: [2]int{0, 1},
			At: time.Unix(1, 2).UTC(), Took: -time.Nanosecond, Written: rule{text}, Raw: part, Hidden: &text, private: "kept",
		}
		before.Inner.Text = text
		data, err := Marshal(before)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		after := &written{Hidden: &text, private: "kept"} // which are not written
		if err := Unmarshal(data, after); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%q: %+v has become %+v", text, before, after)
		}
	}
}

// TestNoSuchNumber: what a number cannot be in JSON is none here.
func TestNoSuchNumber(t *testing.T) {
	type number struct{ Part float64 }
	for _, n := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		data, err := Marshal(number{n})
		if err == nil {
			err = Unmarshal(data, new(number))
		}
		if err == nil {
			t.Errorf("%v is taken", n)
		}
	}
}

// TestOtherFields: a field that the reader does not know is passed over, and one that is
// not there keeps its value.
func TestOtherFields(t *testing.T) {
	data, err := Marshal(struct {
		Later map[string][]any
		Text  string
	}{map[string][]any{"a": {1, "b", nil}}, "new"})
	if err != nil {
		t.Fatal(err)
	}
	read := written{List: []string{"kept"}, Took: time.Second, Text: "old"}
	if err := Unmarshal(data, &read); err != nil || read.Text != "new" || len(read.List) != 1 || read.Took != time.Second {
		t.Errorf("%v: %+v", err, read)
	}
	if err := Unmarshal(data[:len(data)-1], &read); err == nil {
		t.Error("what is cut short is taken")
	}
}

// TestEarlierForm: what earlier versions wrote is read to the byte as well.
func TestEarlierForm(t *testing.T) {
	const text = `{"Text":"\u0000/w==","List":["plain"],"Map":{"\u0000AA==":"\u0000/w=="},"ByPID":{"4000":9},"Bytes":"/w==",` +
		`"At":"1970-01-01T00:00:01Z","Took":5,"Written":"w","Raw":{"A":"\u0000/w=="},"false":false,"Later":1}`
	want := &written{
		Text: "\xff", List: []string{"plain"}, Map: map[string]string{"\x00": "\xff"}, ByPID: map[int]uint64{4000: 9}, Bytes: []byte("\xff"),
		At: time.Unix(1, 0).UTC(), Took: 5, Written: rule{"w"}, Raw: Raw(`{"A":"\u0000/w=="}`), False: new(bool),
	}
	got := new(written)
	if err := Unmarshal([]byte(text), got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v, want %+v", err, got, want)
	}
	var part struct{ A string }
	if err := Unmarshal(got.Raw, &part); err != nil || part.A != "\xff" {
		t.Errorf("%v: %q", err, part.A)
	}
	if err := Unmarshal([]byte(`{"Text":"\u0000!"}`), new(written)); err == nil {
		t.Error("what is no base64 is taken")
	}
}
