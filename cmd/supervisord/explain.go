package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

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
		"items": object(map[string]any{
			"file": typed("string"), "line": typed("integer"), "section": typed("string"),
			"key": typed("string"), "text": typed("string"), "hint": typed("string"),
		}),
	}
	schema := object(map[string]any{
		"ok": typed("boolean"), "errors": problems, "warnings": problems,
		"config": map[string]any{"oneOf": []any{typed("null"), spec.Schema()}},
	})
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "What supervisord --check --json prints"
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	encoder.Encode(schema) // plain values; an error can only be a closed output
	return 0
}

func typed(name string) map[string]any { return map[string]any{"type": name} }

// object is the schema of an object that has these properties and no others.
func object(properties map[string]any) map[string]any {
	required := slices.Sorted(maps.Keys(properties))
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
