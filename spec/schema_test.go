package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// TestSchema: what Normal gives of files of every kind is as Schema says.
func TestSchema(t *testing.T) {
	schema := plain(t, Schema())
	for name, text := range map[string]string{
		"what is required": everyKind,
		"what may be left out": everyKind + `[unix_http_server:b]
file=/tmp/b
chown=www:www
username=u
password=p
readonly_username=eye
readonly_password=q
operators=0
[inet_http_server:b]
port=9002
certfile=/c
keyfile=/k
client_ca=/a
metrics=open
[program:q]
command="
umask=022
directory=/
environment=A="1"
serverurl=
killmode=group
on_exit=shutdown
[fcgi-program:h]
command=x
socket=tcp://localhost:80
socket_backlog=5
[fcgi-program:i]
command=x
socket=unix:///tmp/i
socket_owner=www
[group:both]
programs=q,i
[eventlistener:m]
command=x
events=TICK_5
stall_timeout=5
`,
	} {
		h := &memHost{cwd: "/cwd", files: map[string]string{"/etc/c": text}}
		cfg, err := Load(h, "/etc/c", Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, wrong := range violations(schema, plain(t, Normal(cfg, false)), name) {
			t.Error(wrong)
		}
	}
	if wrong := violations(schema, plain(t, map[string]any{"groups": []any{map[string]any{"name": 5, "new": true}}}), "what is wrong"); len(wrong) < 5 {
		t.Errorf("of what is wrong only this is found: %q", wrong)
	}
}

// plain is a value as JSON has it.
func plain(t *testing.T, v any) (as any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &as)
	}
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// violations is what of a value is not as a schema says, of the words that Schema uses.
func violations(schema, v any, at string) (list []string) {
	s := schema.(map[string]any)
	if types, ok := s["type"]; ok {
		all, several := types.([]any)
		if !several {
			all = []any{types}
		}
		if !slices.Contains(all, any(typeOf(v))) {
			return []string{fmt.Sprintf("%s is %v, want %v", at, v, types)}
		}
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, v) {
		list = append(list, fmt.Sprintf("%s is %v, want one of %v", at, v, words))
	}
	if choices, ok := s["oneOf"].([]any); ok && !slices.ContainsFunc(choices, func(c any) bool { return len(violations(c, v, at)) == 0 }) {
		list = append(list, fmt.Sprintf("%s is %v, want one of %v", at, v, choices))
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if s["items"] == nil { // oneOf has said it
				break
			}
			list = append(list, violations(s["items"], item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		required, _ := s["required"].([]any)
		for _, key := range required {
			if _, has := v[key.(string)]; !has {
				list = append(list, fmt.Sprintf("%s has no %s", at, key))
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch more := s["additionalProperties"].(type) {
			case map[string]any:
				list = append(list, violations(more, v[key], at+"."+key)...)
			default:
				if properties[key] == nil {
					list = append(list, fmt.Sprintf("%s may not have %s", at, key))
					continue
				}
				list = append(list, violations(properties[key], v[key], at+"."+key)...)
			}
		}
	}
	return list
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
