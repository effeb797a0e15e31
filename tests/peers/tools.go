//go:build tools

// Package peers pins the one Go program the tests compare with.
package peers

import _ "github.com/ipfs/kubo/cmd/ipfs"
