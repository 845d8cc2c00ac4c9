package minilm

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// tensors is a file in the safetensors format: the length of the header as 8 bytes,
// the header as JSON, then the data.
type tensors struct {
	header map[string]tensor
	data   []byte
}

type tensor struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// maxHeader bounds the header of a file, in bytes. That of the model has 11 KB.
const maxHeader = 1 << 20

func openTensors(path string) (*tensors, error) {
	file, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parseTensors(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func parseTensors(file []byte) (*tensors, error) {
	if len(file) < 8 {
		return nil, errors.New("not a safetensors file")
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeader || length > uint64(len(file)-8) {
		return nil, errors.New("not a safetensors file")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+length], &raw); err != nil {
		return nil, fmt.Errorf("the header is not JSON: %w", err)
	}
	delete(raw, "__metadata__")
	t := &tensors{header: make(map[string]tensor, len(raw)), data: file[8+length:]}
	for name, value := range raw {
		var one tensor
		if err := json.Unmarshal(value, &one); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		t.header[name] = one
	}
	return t, nil
}

// floats returns a tensor of 32-bit floats with exactly this shape.
func (t *tensors) floats(name string, shape ...int) ([]float32, error) {
	one, ok := t.header[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %s", name)
	}
	n := 1
	for _, length := range shape {
		n *= length
	}
	from, to := one.Offsets[0], one.Offsets[1]
	switch {
	case one.Type != "F32" || !slices.Equal(one.Shape, shape):
		return nil, fmt.Errorf("tensor %s is %s of shape %v, want F32 of shape %v", name, one.Type, one.Shape, shape)
	case from < 0 || to > len(t.data) || to-from != 4*n:
		return nil, fmt.Errorf("tensor %s has %d bytes from %d of %d, want %d", name, to-from, from, len(t.data), 4*n)
	}
	return floatsOf(t.data[from:to]), nil
}

// floatsOf returns little-endian bytes as floats: without a copy, if this machine
// stores them like that and they are aligned.
func floatsOf(b []byte) []float32 {
	pointer := unsafe.Pointer(unsafe.SliceData(b))
	if littleEndian() && uintptr(pointer)%unsafe.Alignof(float32(0)) == 0 {
		return unsafe.Slice((*float32)(pointer), len(b)/4)
	}
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
