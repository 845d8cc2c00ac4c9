//go:build !linux

package devstack

import "errors"

// Usage lists the local AWS and the functions that it runs. Only Linux shows
// which process belongs to which function; elsewhere the error is
// [errors.ErrUnsupported].
func (s *Stack) Usage() (localAWS Usage, functions []Usage, err error) {
	return Usage{}, nil, errors.ErrUnsupported
}
