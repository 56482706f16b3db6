"""What `import bench` gives: the pipeline of the command line, called from Python. It prints nothing."""
