package dev.sparkmla.jobs;

import dev.sparkmla.jobs.input.InputFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The folder that a job writes. It is written beside its place and takes it when it is whole; what
 * was there stays until then. Closing deletes what did not become whole; so does the end of the
 * JVM. For one thread.
 */
final class OutputFolder implements AutoCloseable {
  private final String output;
  private final FileSystem system;
  private final Path place;
  private final Path unfinished;
  private final Path replaced;
  private boolean committed;

  private OutputFolder(String output, FileSystem system, Path place) throws IOException {
    this.output = output;
    this.system = system;
    this.place = place;
    String id = UUID.randomUUID().toString().substring(0, 8);
    unfinished = place.suffix("-unfinished-" + id);
    replaced = place.suffix("-replaced-" + id);
    if (!system.mkdirs(unfinished)) {
      throw new IOException("the folder " + unfinished + " cannot be made");
    }
    system.deleteOnExit(unfinished);
  }

  /**
   * Makes a folder to write to.
   *
   * @param overwrite whether it may replace what is there
   * @throws JobException when something is there that may not be replaced, the place is or holds a
   *     file of the input, or nothing can be written beside it
   */
  static OutputFolder open(
      String output, boolean overwrite, InputFiles input, Configuration configuration) {
    try {
      Path path = new Path(output);
      FileSystem system = InputFiles.fileSystem(path, configuration);
      Path place = real(system, system.makeQualified(path));
      if (holds(system, place, input, configuration)) {
        throw new JobException(
            "the output " + output + " is or holds the input " + input + "; write elsewhere");
      }
      if (!overwrite && system.exists(place)) {
        throw new JobException(
            "the output "
                + output
                + " is there already; write elsewhere, or replace it with --overwrite");
      }
      return new OutputFolder(output, system, place);
    } catch (IOException | IllegalArgumentException problem) {
      throw new JobException(
          "the output " + output + " cannot be written: " + problem.getMessage(), problem);
    }
  }

  /** Where to write for now; an empty folder. */
  String unfinished() {
    return unfinished.toString();
  }

  /**
   * Puts what was written in its place.
   *
   * @return where that is
   * @throws JobException when it cannot be put there; what was there is there again then
   */
  String commit() {
    try {
      boolean replaces = system.exists(place);
      if (replaces) {
        move(place, replaced);
      }
      try {
        move(unfinished, place);
      } catch (IOException problem) {
        if (replaces) {
          move(replaced, place);
        }
        throw problem;
      }
      committed = true;
      if (replaces) {
        system.delete(replaced, true);
      }
      return place.toString();
    } catch (IOException problem) {
      throw new JobException(
          "the output " + output + " cannot be put in its place: " + problem.getMessage(), problem);
    }
  }

  @Override
  public void close() {
    try {
      if (!committed) {
        system.delete(unfinished, true);
      }
      system.cancelDeleteOnExit(unfinished);
    } catch (IOException problem) {
      // The end of the JVM tries again; the folder's name says what it is.
    }
  }

  private void move(Path from, Path to) throws IOException {
    if (!system.rename(from, to)) {
      throw new IOException(from + " cannot be renamed to " + to);
    }
  }

  private static boolean holds(
      FileSystem system, Path place, InputFiles input, Configuration configuration)
      throws IOException {
    Set<Path> seen = new HashSet<>();
    for (Path file : input.files()) {
      FileSystem inputSystem = InputFiles.fileSystem(file, configuration);
      for (Path spelling : List.of(file, real(inputSystem, file))) {
        for (Path path = spelling; path != null && seen.add(path); path = path.getParent()) {
          if (path.equals(place) || isSame(system, place, inputSystem, path)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  /** Whether two local paths lead to one file, as a mount may make them. */
  private static boolean isSame(FileSystem one, Path path, FileSystem other, Path otherPath)
      throws IOException {
    return isLocal(one)
        && isLocal(other)
        && one.exists(path)
        && other.exists(otherPath)
        && Files.isSameFile(local(path), local(otherPath));
  }

  /** A path without links, as far as there is something at it. */
  private static Path real(FileSystem system, Path path) throws IOException {
    if (path.getParent() == null) {
      return path;
    }
    try {
      return isLocal(system)
          ? new Path("file", null, local(path).toRealPath().toString())
          : system.resolvePath(path);
    } catch (FileNotFoundException | java.nio.file.NoSuchFileException nothingThere) {
      return new Path(real(system, path.getParent()), path.getName());
    }
  }

  private static boolean isLocal(FileSystem system) {
    return "file".equals(system.getUri().getScheme());
  }

  private static java.nio.file.Path local(Path path) {
    return java.nio.file.Path.of(path.toUri().getPath());
  }
}
