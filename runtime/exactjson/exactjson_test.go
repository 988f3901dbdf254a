package exactjson

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// written is of every shape that is handed over.
type written struct {
	Text    string
	List    []string
	Map     map[string]string
	Pointer *string
	Inner   struct{ Text string }
	Bytes   []byte
	At      time.Time
	Raw     json.RawMessage
	Hidden  *string `json:"-"`
	private string
}

// TestExact: what is written is read again, to the byte.
func TestExact(t *testing.T) {
	for _, text := range []string{"", "plain", "ä", "\xff", "a\xc3", "\x00", "\x00plain", "\ufffd", "\x00\xff", "/srv/\xe4pfel"} {
		before := &written{
			Text: text, List: []string{text, "x"}, Map: map[string]string{text: text}, Pointer: &text, Bytes: []byte(text),
			At: time.Unix(1, 2).UTC(), Raw: json.RawMessage(`{"a":"\u0000\ufffd"}`), Hidden: &text, private: "kept",
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

// TestDamaged: what is no base64 is an error.
func TestDamaged(t *testing.T) {
	if err := Unmarshal([]byte(`{"Text":"\u0000!"}`), new(written)); err == nil {
		t.Error("it is taken")
	}
}
