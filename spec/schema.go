package spec

import (
	"maps"
	"slices"
)

// Schema is the JSON schema of the result of Normal. The keys of programs and groups
// come from the tables of fields; objects may have no others.
func Schema() map[string]any {
	text, number, flag := map[string]any{"type": "string"}, map[string]any{"type": "integer"}, map[string]any{"type": "boolean"}
	maybe := map[string]any{"type": []any{"string", "null"}}
	texts := list(text)
	variables := map[string]any{"type": "object", "additionalProperties": text}
	owner := map[string]any{"oneOf": []any{map[string]any{"type": "null"}, list(maybe)}}
	socket := ObjectSchema(map[string]any{"url": text, "backlog": map[string]any{"type": []any{"integer", "null"}}},
		map[string]any{"path": text, "mode": text, "owner": owner})

	process := fieldSchema(processFields, defaultProcess)
	process.required["name"] = text
	process.required["class"] = map[string]any{"enum": []any{"ProcessConfig", "EventListenerConfig", "FastCGIProcessConfig"}}
	maps.Copy(process.optional, map[string]any{"socket": socket, "argv": texts, "argv_error": text})

	group := fieldSchema(plainGroupFields, defaultGroup)
	listener := fieldSchema(listenerFields, &noListener)
	group.required["name"] = text
	group.required["processes"] = list(ObjectSchema(process.required, process.optional))
	group.optional["socket"] = socket
	maps.Copy(group.optional, listener.required)
	maps.Copy(group.optional, listener.optional)

	daemon := ObjectSchema(map[string]any{
		"logfile": text, "logfile_maxbytes": number, "logfile_backups": number, "loglevel": text, "pidfile": text,
		"nodaemon": flag, "silent": flag, "minfds": number, "minprocs": number, "umask": text, "user": maybe,
		"identifier": text, "directory": maybe, "nocleanup": flag, "childlogdir": text, "strip_ansi": flag,
		"environment": variables, "serverurl": maybe,
	}, nil)
	server := ObjectSchema(map[string]any{"section": text, "username": maybe, "password": maybe, "family": map[string]any{"enum": []any{"unix", "inet"}}},
		map[string]any{"file": text, "chmod": text, "chown": owner, "host": text, "port": number, "certfile": text, "keyfile": text, "client_ca": text, "metrics": text,
			"readonly_username": text, "readonly_password": text, "operators": list(number)})
	return ObjectSchema(map[string]any{
		"supervisord":   daemon,
		"http_servers":  list(server),
		"rpcinterfaces": list(ObjectSchema(map[string]any{"name": text, "factory": text, "options": variables}, nil)),
		"groups":        list(ObjectSchema(group.required, group.optional)),
	}, nil)
}

// properties are those of an object.
type properties struct{ required, optional map[string]any }

// fieldSchema is the properties that put makes of fields.
func fieldSchema[S any](fields []field[S], defaults *S) properties {
	m := properties{map[string]any{}, map[string]any{}}
	for _, f := range fields {
		if f.plain == nil {
			continue
		}
		to := m.required
		if f.ours {
			to = m.optional
		}
		to[f.name] = valueSchema(f.plain(normal{}, defaults), f.key)
	}
	return m
}

// valueSchema is the schema of values of which the default is one.
func valueSchema(def any, k key) map[string]any {
	switch def.(type) {
	case nil:
		return map[string]any{"type": []any{"string", "null"}}
	case bool:
		return map[string]any{"type": "boolean"}
	case int, int64:
		return map[string]any{"type": "integer"}
	case float64:
		return map[string]any{"type": "number"}
	case []int:
		return list(map[string]any{"type": "integer"})
	case []string:
		return list(map[string]any{"type": "string"})
	case map[string]any:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	case string:
		return map[string]any{"type": "string"}
	}
	panic("spec: no schema for the key " + k.name)
}

func list(items map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": items}
}

// ObjectSchema is the schema of an object that has these properties and no others.
func ObjectSchema(required, optional map[string]any) map[string]any {
	properties := maps.Clone(required)
	maps.Copy(properties, optional)
	return map[string]any{
		"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(required)), "additionalProperties": false,
	}
}
