package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"supervisord/spec"
	"supervisord/spec/manual"
)

// explain is --explain: it tells what a key means. The result is the exit status: 2 if
// there is no such key, else 0.
func explain(w io.Writer, key string) int {
	text := manual.Explain(key)
	if text == "" {
		fmt.Fprintf(os.Stderr, "Error: no section has a key %s\n", key)
		if near := manual.Nearest(key); near != "" {
			fmt.Fprintf(os.Stderr, "hint: did you mean %s?\n", near)
		}
		return 2
	}
	fmt.Fprint(w, text)
	return 0
}

// printSchema is --schema: the shape of what --check --json prints.
func printSchema(w io.Writer) int {
	problems := map[string]any{
		"type": "array",
		"items": spec.ObjectSchema(map[string]any{
			"file": typed("string"), "line": typed("integer"), "section": typed("string"),
			"key": typed("string"), "text": typed("string"), "hint": typed("string"),
		}, nil),
	}
	schema := spec.ObjectSchema(map[string]any{
		"ok": typed("boolean"), "errors": problems, "warnings": problems,
		"config": map[string]any{"oneOf": []any{typed("null"), spec.Schema()}},
	}, nil)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "What supervisord --check --json prints"
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	encoder.Encode(schema) // plain values; an error can only be a closed output
	return 0
}

func typed(name string) map[string]any { return map[string]any{"type": name} }
