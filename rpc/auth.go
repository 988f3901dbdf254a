package rpc

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode/utf8"

	"supervisord/spec"
)

// authorize checks the credentials of a request and answers 0 if they are right, else the
// status to refuse with: 400 for credentials that are no base64 of text, and 500 for text
// without a colon, as Supervisor does. With those of readonly_username the client may
// change nothing.
//
// Source: contract/rpc.md section 1, authentication.
func authorize(sv spec.Server, r *http.Request) (readOnly bool, status int) {
	if sv.Username == "" {
		return false, 0
	}
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "basic") || strings.TrimSpace(encoded) == "" {
		return false, http.StatusUnauthorized
	}
	decoded, ok := pyBase64(encoded)
	if !ok || !utf8.Valid(decoded) {
		return false, http.StatusBadRequest
	}
	username, password, found := strings.Cut(string(decoded), ":")
	if !found {
		return false, http.StatusInternalServerError
	}
	// Both are compared in full whatever comes of the first, and as hashes, so
	// that neither their content nor their length shows in the time it takes.
	full := constantTimeEqual(username, sv.Username) & passwordMatches(password, sv.Password)
	look := constantTimeEqual(username, sv.ReadOnlyUsername) & passwordMatches(password, sv.ReadOnlyPassword)
	switch {
	case full == 1:
		return false, 0
	case look == 1 && sv.ReadOnlyUsername != "":
		return true, 0
	}
	return false, http.StatusUnauthorized
}

// pyBase64 decodes as Python does when it is not asked to be strict: what is not of
// the alphabet is passed over, and the text ends with its padding. Without the
// padding that it needs it is refused.
func pyBase64(text string) (data []byte, ok bool) {
	var digits []byte
	pads := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '=':
			if over := len(digits) % 4; over >= 2 {
				if pads++; over+pads >= 4 {
					return fromBase64(digits), true
				}
			}
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			digits, pads = append(digits, c), 0
		}
	}
	return fromBase64(digits), len(digits)%4 == 0
}

func fromBase64(digits []byte) []byte {
	data, _ := base64.RawStdEncoding.DecodeString(string(digits)) // of a length that can be decoded, or not used
	return data
}

// passwordMatches compares a password with the configured one, which is clear text or
// {SHA} and the hexadecimal SHA-1 in lower case.
func passwordMatches(password, configured string) int {
	if hash, ok := strings.CutPrefix(configured, "{SHA}"); ok {
		sum := sha1.Sum([]byte(password))
		return constantTimeEqual(hex.EncodeToString(sum[:]), hash)
	}
	return constantTimeEqual(password, configured)
}

func constantTimeEqual(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
