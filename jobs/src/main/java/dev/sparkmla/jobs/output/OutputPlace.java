package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.InputFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Where a folder is to be, whatever links lead there.
 *
 * @param system where it is
 * @param configuration of the file system
 * @param path without links
 */
record OutputPlace(FileSystem system, Configuration configuration, Path path) {

  /** The place that a person names. */
  static OutputPlace of(String name, Configuration configuration) throws IOException {
    try {
      Path path = new Path(name);
      FileSystem system = InputFiles.fileSystem(path, configuration);
      return new OutputPlace(system, configuration, real(system, system.makeQualified(path)));
    } catch (IllegalArgumentException problem) {
      throw new IOException(problem.getMessage(), problem);
    }
  }

  /** The folder beside it whose name has something after this one's. */
  OutputPlace suffixed(String suffix) {
    return new OutputPlace(system, configuration, path.suffix(suffix));
  }

  /** Whether something is there. */
  boolean isTaken() throws IOException {
    return system.exists(path);
  }

  /** What is there, as a folder of slices. */
  SliceFolder slices() {
    return new SliceFolder(system, configuration, path);
  }

  /**
   * Moves a folder here.
   *
   * @throws IOException when it cannot be moved, and what was here is here again
   */
  void take(Path folder) throws IOException {
    Path replaced = path.suffix("-replaced-" + UUID.randomUUID());
    boolean replaces = isTaken();
    if (replaces) {
      move(system, path, replaced);
    }
    try {
      move(system, folder, path);
    } catch (IOException problem) {
      if (replaces) {
        move(system, replaced, path);
      }
      throw problem;
    }
    if (replaces) {
      system.delete(replaced, true);
    }
  }

  /** Renames a file or a folder. */
  static void move(FileSystem system, Path from, Path to) throws IOException {
    if (!system.rename(from, to)) {
      throw new IOException(from + " cannot be renamed to " + to);
    }
  }

  /** Whether the place is the other one, or in it. */
  boolean isWithin(OutputPlace other) {
    return Stream.iterate(path, above -> above != null, Path::getParent)
        .anyMatch(other.path::equals);
  }

  /** Whether the place is, or holds, a file of the input, whatever links lead to it. */
  boolean holds(InputFiles input) throws IOException {
    Set<Path> seen = new HashSet<>();
    for (Path file : input.files()) {
      FileSystem inputSystem = InputFiles.fileSystem(file, configuration);
      for (Path spelling : List.of(file, real(inputSystem, file))) {
        for (Path above = spelling; above != null && seen.add(above); above = above.getParent()) {
          if (above.equals(path) || isSame(inputSystem, above)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  /** Whether a local path leads to the file that is here, as a mount may make it. */
  private boolean isSame(FileSystem other, Path otherPath) throws IOException {
    return isLocal(system)
        && isLocal(other)
        && system.exists(path)
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
