package dev.sparkmla.jobs.output;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.types.StructType;

/**
 * The log of an output's deliveries. A delivery is in it as begun before its rows leave their
 * slices, and as ended when they have arrived; both are one rename. One that was begun and not
 * ended has to be repeated as it is, because nobody knows whether its rows have arrived.
 *
 * @param system where the folder is
 * @param folder has a file for each delivery
 * @param unwritten a folder for files that are not whole yet
 */
record Deliveries(FileSystem system, Path folder, Path unwritten) {
  private static final String BEGUN = "delivery";
  private static final String ENDED = "delivered";
  private static final Pattern NAME =
      Pattern.compile("(" + BEGUN + "|" + ENDED + ")-(\\d{6})\\.json");
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Deliveries whose rows have arrived, in their order. */
  List<Delivery> ended() throws IOException {
    List<Delivery> ended = new ArrayList<>();
    for (Path file : files().values()) {
      if (file.getName().startsWith(ENDED)) {
        ended.add(read(file));
      }
    }
    return ended;
  }

  /** Those that have ended, and then the open one, if there is one. */
  List<Delivery> all() throws IOException {
    List<Delivery> all = new ArrayList<>(ended());
    open().ifPresent(all::add);
    return all;
  }

  /** The delivery that was begun and not ended, if one was. */
  Optional<Delivery> open() throws IOException {
    for (Path file : files().values()) {
      if (file.getName().startsWith(BEGUN)) {
        return Optional.of(read(file));
      }
    }
    return Optional.empty();
  }

  /**
   * Begins a delivery. None may be open.
   *
   * @param table that the rows are added to
   * @param tableId what identifies it, where its format has such a thing
   * @param replaces whether the rows take the place of what is there
   * @param columns of the slices
   */
  Delivery begin(
      String table,
      Optional<String> tableId,
      boolean replaces,
      StructType columns,
      List<Slice> slices)
      throws IOException {
    List<Delivery> before = ended();
    Delivery last = before.isEmpty() ? null : before.get(before.size() - 1);
    Delivery next =
        new Delivery(
            table,
            tableId.orElse(null),
            last == null ? UUID.randomUUID().toString() : last.application(),
            last == null ? 1 : last.number() + 1,
            replaces,
            columns.json(),
            slices.stream().map(Slice::name).toList());
    Path file = new Path(unwritten, name(BEGUN, next));
    try (OutputStream written = system.create(file, true)) {
      written.write(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(next));
    }
    OutputPlace.move(system, file, file(BEGUN, next));
    return next;
  }

  /** Says that the rows of a delivery have arrived. */
  void end(Delivery delivery) throws IOException {
    OutputPlace.move(system, file(BEGUN, delivery), file(ENDED, delivery));
  }

  /** The files by their deliveries' numbers. Where a rename left both, the rows have arrived. */
  private TreeMap<Long, Path> files() throws IOException {
    TreeMap<Long, Path> files = new TreeMap<>();
    if (!system.exists(folder)) {
      return files;
    }
    for (FileStatus status : system.listStatus(folder)) {
      Matcher name = NAME.matcher(status.getPath().getName());
      if (name.matches()) {
        files.merge(
            Long.parseLong(name.group(2)),
            status.getPath(),
            (one, other) -> one.getName().startsWith(ENDED) ? one : other);
      }
    }
    return files;
  }

  private Delivery read(Path file) throws IOException {
    try (FSDataInputStream content = system.open(file)) {
      return JSON.readValue(content.readAllBytes(), Delivery.class);
    }
  }

  private Path file(String state, Delivery delivery) {
    return new Path(folder, name(state, delivery));
  }

  private static String name(String state, Delivery delivery) {
    return String.format(Locale.ROOT, "%s-%06d.json", state, delivery.number());
  }
}
