package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// OfDirectory returns a client for a bucket in a directory, which several processes may
// share, and which holds nothing in memory.
func OfDirectory(dir string) *s3.Client {
	answer := middleware.InitializeMiddlewareFunc("fakes3",
		func(_ context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			out.Result, err = directory(dir).call(in.Parameters)
			return out, meta, err
		})
	return s3.New(s3.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error { return stack.Initialize.Add(answer, middleware.After) }},
	})
}

type directory string

func (d directory) path(key string) string { return filepath.Join(string(d), filepath.FromSlash(key)) }

func (d directory) call(params any) (any, error) {
	switch in := params.(type) {
	case *s3.PutObjectInput:
		return d.put(*in.Key, in.Body)
	case *s3.GetObjectInput:
		file, err := os.Open(d.path(*in.Key))
		if err != nil {
			return nil, &types.NoSuchKey{Message: aws.String(err.Error())}
		}
		return &s3.GetObjectOutput{Body: file}, nil
	case *s3.HeadObjectInput:
		size, etag, err := d.head(d.path(*in.Key))
		return &s3.HeadObjectOutput{ContentLength: &size, ETag: &etag}, err
	case *s3.DeleteObjectsInput:
		for _, named := range in.Delete.Objects {
			if err := os.Remove(d.path(*named.Key)); err != nil && !os.IsNotExist(err) {
				return nil, err
			}
		}
		return &s3.DeleteObjectsOutput{}, nil
	case *s3.ListObjectsV2Input:
		return d.list()
	}
	return nil, fmt.Errorf("fakes3: %T is not supported", params)
}

func (d directory) put(key string, body io.Reader) (any, error) {
	path := d.path(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := md5.New()
	if _, err := io.Copy(io.MultiWriter(file, sum), body); err != nil {
		return nil, err
	}
	return &s3.PutObjectOutput{ETag: aws.String(hex.EncodeToString(sum.Sum(nil)))}, nil
}

func (d directory) head(path string) (size int64, etag string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", &types.NoSuchKey{Message: aws.String(err.Error())}
	}
	defer file.Close()
	sum := md5.New()
	size, err = io.Copy(sum, file)
	return size, hex.EncodeToString(sum.Sum(nil)), err
}

func (d directory) list() (any, error) {
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(false)}
	err := filepath.WalkDir(string(d), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		key, err := filepath.Rel(string(d), path)
		if err != nil {
			return err
		}
		size, etag, err := d.head(path)
		out.Contents = append(out.Contents, types.Object{Key: aws.String(filepath.ToSlash(key)), LastModified: aws.Time(info.ModTime()), Size: &size, ETag: &etag})
		return err
	})
	return out, err
}
