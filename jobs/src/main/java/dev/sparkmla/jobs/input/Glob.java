package dev.sparkmla.jobs.input;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobExpander;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.Path;

/**
 * Finds what a glob matches. Hadoop's own {@code globStatus} fails where a name beside a match
 * holds a colon, so this walks the folders with the parts of it that do not.
 */
final class Glob {
  private static final String CHARACTERS = "{}[]*?\\";

  private Glob() {}

  /**
   * Finds files and folders.
   *
   * @param glob a pattern as Hadoop writes it; one without its special characters matches nothing
   * @return what matches, sorted by path, each once
   */
  static List<FileStatus> match(FileSystem system, Path glob) throws IOException {
    String pattern = glob.toUri().getPath();
    List<FileStatus> found = new ArrayList<>();
    if (pattern.chars().anyMatch(character -> CHARACTERS.indexOf(character) >= 0)) {
      Path top = new Path(glob.toUri().getScheme(), glob.toUri().getAuthority(), Path.SEPARATOR);
      for (String alternative : GlobExpander.expand(pattern)) {
        List<String> names =
            Arrays.stream(alternative.split(Path.SEPARATOR))
                .filter(name -> !name.isEmpty())
                .toList();
        match(system, top, names, found);
      }
    }
    found.sort(Comparator.comparing(FileStatus::getPath));
    return found.stream().distinct().toList();
  }

  private static void match(
      FileSystem system, Path folder, List<String> names, List<FileStatus> found)
      throws IOException {
    if (names.isEmpty()) {
      found.add(system.getFileStatus(folder));
      return;
    }
    GlobFilter filter = new GlobFilter(names.get(0));
    List<String> below = names.subList(1, names.size());
    if (!filter.hasPattern()) {
      Path path = new Path(folder, new Path(null, null, names.get(0)));
      if (!below.isEmpty() || system.exists(path)) {
        match(system, path, below, found);
      }
    } else if (system.exists(folder) && system.getFileStatus(folder).isDirectory()) {
      for (FileStatus child : system.listStatus(folder)) {
        if (filter.accept(child.getPath()) && (below.isEmpty() || child.isDirectory())) {
          match(system, child.getPath(), below, found);
        }
      }
    }
  }
}
