// Package s3 is an in-memory bucket behind the SDK's client.
package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Bucket is a bucket without versions. It is safe for concurrent use.
type Bucket struct {
	clock   func() time.Time
	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	content  []byte
	modified time.Time
}

// New returns an empty bucket.
func New(clock func() time.Time) *Bucket {
	return &Bucket{clock: clock, objects: map[string]object{}}
}

// Contents returns the content of every object.
func (b *Bucket) Contents() map[string][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	contents := make(map[string][]byte, len(b.objects))
	for key, o := range b.objects {
		contents[key] = o.content
	}
	return contents
}

// Corrupt replaces the content of an object, or removes it for nil, behind everybody's
// back.
func (b *Bucket) Corrupt(key string, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if content == nil {
		delete(b.objects, key)
		return
	}
	b.objects[key] = object{content, b.objects[key].modified}
}

// Client returns an SDK client whose calls the bucket serves; options may add
// interceptors.
func (b *Bucket) Client(options ...func(*middleware.Stack) error) *s3.Client {
	answer := middleware.InitializeMiddlewareFunc("fakes3",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result, err = b.call(in.Parameters)
			return out, meta, err
		})
	return s3.New(s3.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(answer, middleware.After)
		}}, options...),
	})
}

func (b *Bucket) call(params any) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch in := params.(type) {
	case *s3.PutObjectInput:
		return b.put(in)
	case *s3.GetObjectInput:
		o, ok := b.objects[*in.Key]
		if !ok {
			return nil, &types.NoSuchKey{Message: aws.String("The specified key does not exist.")}
		}
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(o.content)), ContentLength: aws.Int64(int64(len(o.content)))}, nil
	case *s3.HeadObjectInput:
		o, ok := b.objects[*in.Key]
		if !ok {
			return nil, &types.NoSuchKey{Message: aws.String("Not Found")}
		}
		return &s3.HeadObjectOutput{ContentLength: aws.Int64(int64(len(o.content))), ETag: etag(o.content), LastModified: &o.modified}, nil
	case *s3.DeleteObjectsInput:
		for _, named := range in.Delete.Objects {
			delete(b.objects, *named.Key)
		}
		return &s3.DeleteObjectsOutput{}, nil
	case *s3.ListObjectsV2Input:
		out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(false)}
		for _, key := range slices.Sorted(maps.Keys(b.objects)) {
			o := b.objects[key]
			out.Contents = append(out.Contents, types.Object{Key: &key, LastModified: &o.modified, Size: aws.Int64(int64(len(o.content))), ETag: etag(o.content)})
		}
		return out, nil
	}
	return nil, fmt.Errorf("fakes3: %T is not supported", params)
}

func (b *Bucket) put(in *s3.PutObjectInput) (any, error) {
	content, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); in.ChecksumSHA256 != nil && *in.ChecksumSHA256 != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, &smithy.GenericAPIError{Code: "BadDigest", Message: "The SHA256 you specified did not match what we received."}
	}
	b.objects[*in.Key] = object{content, b.clock()}
	return &s3.PutObjectOutput{ETag: etag(content)}, nil
}

func etag(content []byte) *string {
	sum := md5.Sum(content)
	return aws.String(`"` + hex.EncodeToString(sum[:]) + `"`)
}
