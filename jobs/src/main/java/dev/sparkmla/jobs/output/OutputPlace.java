package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.InputFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Where an output is to be, and what of the input is there. */
final class OutputPlace {
  private OutputPlace() {}

  /** Whether a place is, or holds, a file of the input, whatever links lead to it. */
  static boolean holds(FileSystem system, Path place, InputFiles input, Configuration configuration)
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
  static Path real(FileSystem system, Path path) throws IOException {
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
