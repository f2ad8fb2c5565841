module tools/task

go 1.26.0

require github.com/go-task/task/v3 v3.48.0
