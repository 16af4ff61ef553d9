package dev.sparkmla.jobs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * What is there and what is not, before an application starts: local files or any that Hadoop
 * reads.
 */
final class Storage {
  private final Configuration configuration;

  Storage(SparkConf conf) {
    configuration = SparkHadoopUtil.get().newConfiguration(conf);
  }

  /**
   * The format of an input: the one that was named, else as its first file's name says.
   *
   * @param input a file, a folder or a glob
   * @throws JobException when there is no such input, or its name says nothing
   */
  InputFormat inputFormat(String input, Optional<InputFormat> named) {
    Path file = firstFile(input);
    return named
        .or(() -> InputFormat.ofName(file.getName()))
        .orElseThrow(
            () ->
                new JobException(
                    "the name of "
                        + file.getName()
                        + " does not say its format; say it with --input-format json, parquet, csv"
                        + " or text"));
  }

  /**
   * Refuses an output that is there, or that holds the input.
   *
   * @throws JobException when it may not be written
   */
  void requireWritable(String input, String output, boolean overwrite) {
    Path target = qualified(output);
    for (Path path = qualified(input); path != null; path = path.getParent()) {
      if (path.equals(target)) {
        throw new JobException(
            "the output " + output + " is or holds the input " + input + "; write elsewhere");
      }
    }
    try {
      if (!overwrite && files(target).exists(target)) {
        throw new JobException(
            "the output "
                + output
                + " is there already; write elsewhere, or replace it with"
                + " --overwrite");
      }
    } catch (IOException problem) {
      throw new UncheckedIOException("cannot look at " + output, problem);
    }
  }

  private Path firstFile(String input) {
    try {
      Path path = new Path(input);
      FileStatus[] found = files(path).globStatus(path);
      FileStatus status = found == null ? null : first(found);
      while (status != null && status.isDirectory()) {
        status = first(files(path).listStatus(status.getPath()));
      }
      if (status == null) {
        throw new JobException("there is no file at the input " + input);
      }
      return status.getPath();
    } catch (IOException | IllegalArgumentException problem) {
      throw new JobException(
          "the input " + input + " cannot be read: " + problem.getMessage(), problem);
    }
  }

  // As Spark does, what begins with an underscore or a dot is passed over.
  private static FileStatus first(FileStatus[] found) {
    for (FileStatus status : found) {
      String name = status.getPath().getName();
      if (!name.startsWith("_") && !name.startsWith(".")) {
        return status;
      }
    }
    return null;
  }

  private Path qualified(String path) {
    try {
      Path unqualified = new Path(path);
      FileSystem files = files(unqualified);
      return files.makeQualified(unqualified);
    } catch (IOException | IllegalArgumentException problem) {
      throw new JobException("there can be no " + path + ": " + problem.getMessage(), problem);
    }
  }

  private FileSystem files(Path path) throws IOException {
    return path.getFileSystem(configuration);
  }
}
