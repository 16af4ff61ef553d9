package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Where the blocks of files begin, counted in lines, so that a task can name a line. Immutable. */
final class LineNumbers implements Serializable {
  private static final long serialVersionUID = 1L;

  private record Place(String file, long start) implements Serializable {}

  private final Map<Place, Long> linesBefore = new HashMap<>();

  LineNumbers(List<FileBlock> blocks) {
    Map<String, Long> lines = new HashMap<>();
    blocks.stream()
        .sorted(Comparator.comparingLong(FileBlock::start))
        .forEach(
            block -> {
              long before = lines.getOrDefault(block.file(), 0L);
              if (before > 0) {
                linesBefore.put(new Place(block.file(), block.start()), before);
              }
              lines.put(block.file(), before + block.lines());
            });
  }

  /** How many lines of a file come before a block of it. */
  long before(String file, long start) {
    return linesBefore.getOrDefault(new Place(file, start), 0L);
  }
}
