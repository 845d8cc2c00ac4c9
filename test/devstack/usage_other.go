//go:build !linux

package devstack

import "errors"

// Usage lists the local AWS and the functions that it runs. Linux alone tells
// whose a process is; elsewhere the error is [errors.ErrUnsupported].
func (s *Stack) Usage() (localAWS Usage, functions []Usage, err error) {
	return Usage{}, nil, errors.ErrUnsupported
}
