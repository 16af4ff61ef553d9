package dev.sparkmla.jobs.input;

import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.HadoopFSUtils;

/**
 * The files that an input names: one file, those of a folder and its subfolders, or those that a
 * glob matches.
 *
 * <p>Folders named {@code key=value} make columns, as in Spark; their values stay text. As in Spark
 * too, names that begin with an underscore or a dot are passed over. Immutable.
 */
public final class InputFiles {
  private static final int DEEPEST = 64;
  private static final String DELTA_LOG = "_delta_log";

  /** Schemes whose files Hadoop opens, but neither lists nor writes. */
  private static final Set<String> WEB = Set.of("http", "https");

  /** A character as RFC 3986 encodes it. */
  private static final Pattern ENCODED = Pattern.compile("%[0-9A-Fa-f]{2}");

  private final String input;
  private final List<Root> roots;

  private InputFiles(String input, List<Root> roots) {
    this.input = input;
    this.roots = List.copyOf(roots);
  }

  /**
   * A file or folder that the input names itself.
   *
   * @param path where it is
   * @param files itself, or the files below it
   * @param keys the columns that the names of folders between it and its files make
   */
  private record Root(Path path, List<FileStatus> files, List<String> keys) {
    /** What Spark has to be given to read these files and no others. */
    Set<String> sources() {
      Set<String> sources = new LinkedHashSet<>();
      for (FileStatus file : files) {
        boolean isItself = file.getPath().equals(path);
        // Spark makes columns of folders' names below what it is given, and without any reads the
        // files that lie directly in it.
        sources.add((isItself || !keys.isEmpty() ? path : file.getPath().getParent()).toString());
      }
      return sources;
    }
  }

  /**
   * Finds an input's files.
   *
   * @param input a file, a folder or a glob, local or on any file system that Hadoop reads
   * @throws InputException when there are none, they cannot be listed, or Spark would not read all
   *     of them
   */
  public static InputFiles find(String input, Configuration configuration) {
    try {
      Path path = path(input);
      FileSystem system = fileSystem(path, configuration);
      path = system.makeQualified(path);
      List<FileStatus> named =
          system.exists(path) ? List.of(system.getFileStatus(path)) : Glob.match(system, path);
      List<Root> roots = new ArrayList<>();
      for (FileStatus status : named) {
        if (!isHidden(status.getPath()) || status.isDirectory()) {
          root(system, status).ifPresent(roots::add);
        }
      }
      if (roots.isEmpty()) {
        throw new InputException(nothing(input, named));
      }
      requireSameKeys(roots);
      return new InputFiles(input, roots);
    } catch (IOException problem) {
      throw new InputException(
          "the input " + input + " cannot be read: " + problem.getMessage(), problem);
    }
  }

  /**
   * The file system of a path, which answers requests.
   *
   * @throws IOException also where Hadoop throws an unchecked exception: for a host that is
   *     unknown, or a class that is not on the class path
   */
  public static FileSystem fileSystem(Path path, Configuration configuration) throws IOException {
    if (WEB.contains(String.valueOf(path.toUri().getScheme()))) {
      throw new IOException(
          "Hadoop lists no files of web servers; use a local path, or a store such as s3a:");
    }
    try {
      FileSystem system = path.getFileSystem(configuration);
      system.getWorkingDirectory(); // That of ftp: logs in, and throws what is unchecked.
      return system;
    } catch (RuntimeException problem) {
      throw new IOException(problem.getMessage(), problem);
    }
  }

  private static Path path(String input) {
    try {
      return new Path(input);
    } catch (IllegalArgumentException problem) {
      throw input.contains(":")
          ? withColon(input)
          : new InputException("there can be no input " + input + ": " + problem.getMessage());
    }
  }

  /**
   * A file as it was listed.
   *
   * @param name as a person writes it
   * @param size in bytes
   * @param modified when it was changed last, in milliseconds since 1970
   */
  public record Listed(String name, long size, long modified) {}

  /** All files as they were listed, in the order of {@link #files}. */
  public List<Listed> listed() {
    return statuses().stream()
        .map(file -> new Listed(spelled(file.getPath()), file.getLen(), file.getModificationTime()))
        .toList();
  }

  /** All files, sorted within what the input names. */
  public List<Path> files() {
    return statuses().stream().map(FileStatus::getPath).toList();
  }

  /**
   * The format: the one that was named, else as the first file's name says.
   *
   * @throws InputException when its name says nothing
   */
  public InputFormat format(Optional<InputFormat> named) {
    String name = files().get(0).getName();
    return named
        .or(() -> InputFormat.ofName(name))
        .orElseThrow(
            () ->
                new InputException(
                    "the name of "
                        + name
                        + " does not say its format; say it with --input-format json, parquet, csv"
                        + " or text"));
  }

  /** Says that there is not even a name of a column in the files. */
  InputException areEmpty() {
    return new InputException("the input " + input + " is empty: it has no rows and no columns");
  }

  /**
   * Refuses columns of files that folders' names make too: one of the two would be lost.
   *
   * @throws InputException naming the first one
   */
  void requireNoKeyAmong(List<String> columns) {
    for (String key : keys()) {
      if (columns.stream().anyMatch(key::equalsIgnoreCase)) {
        throw new InputException(
            "the column "
                + key
                + " is in the files of "
                + input
                + " and in names of their folders; rename one of the two");
      }
    }
  }

  /** The columns that names of folders make. */
  List<String> keys() {
    return roots.get(0).keys();
  }

  /** A reader that takes {@link #sources} as they are spelled. */
  static DataFrameReader reader(SparkSession spark) {
    // Paths are found already; a bracket in a name is no pattern.
    return spark.read().option("__globPaths__", "false");
  }

  /** What the reader has to be given to read these files. */
  String[] sources() {
    Set<String> sources = new LinkedHashSet<>();
    roots.forEach(root -> sources.addAll(root.sources()));
    return sources.toArray(String[]::new);
  }

  /** A file's path as a person writes it. */
  static String spelled(Path file) {
    return "file".equals(file.toUri().getScheme()) ? file.toUri().getPath() : file.toString();
  }

  /**
   * A file's path as a person writes it.
   *
   * @param file a URI
   */
  static String spelled(String file) {
    return spelled(new Path(URI.create(file)));
  }

  /** The input as it was named. */
  @Override
  public String toString() {
    return input;
  }

  private List<FileStatus> statuses() {
    return roots.stream().flatMap(root -> root.files().stream()).toList();
  }

  private static Optional<Root> root(FileSystem system, FileStatus named) throws IOException {
    if (!named.isDirectory()) {
      requireReadable(system, named);
      return Optional.of(new Root(named.getPath(), List.of(named), List.of()));
    }
    List<FileStatus> files = new ArrayList<>();
    list(system, named.getPath(), 0, files);
    if (files.isEmpty()) {
      return Optional.empty();
    }
    files.sort(Comparator.comparing(FileStatus::getPath));
    List<String> keys = keys(named.getPath(), files.get(0));
    for (FileStatus file : files) {
      requireReadable(system, file);
      if (!keys(named.getPath(), file).equals(keys)) {
        throw otherKeys(files.get(0).getPath(), file.getPath());
      }
    }
    return Optional.of(new Root(named.getPath(), files, keys));
  }

  private static void list(FileSystem system, Path folder, int depth, List<FileStatus> files)
      throws IOException {
    if (depth > DEEPEST) {
      throw new InputException(
          spelled(folder) + " lies more than " + DEEPEST + " folders deep; does a link lead back?");
    }
    for (FileStatus status : system.listStatus(folder)) {
      if (status.getPath().getName().equals(DELTA_LOG)) {
        throw new InputException(
            spelled(folder)
                + " is the folder of a Delta table, which has files of older versions too; write the"
                + " rows that you need to a Parquet folder, and name that");
      }
      if (isHidden(status.getPath())) {
        continue;
      }
      if (status.isDirectory()) {
        list(system, status.getPath(), depth + 1, files);
      } else {
        files.add(status);
      }
    }
  }

  private static boolean isHidden(Path path) {
    return HadoopFSUtils.shouldFilterOutPathName(path.getName());
  }

  /** The columns that the folders between a root and a file make, from the outermost. */
  private static List<String> keys(Path root, FileStatus file) {
    List<String> keys = new ArrayList<>();
    for (Path folder = file.getPath().getParent();
        !folder.equals(root);
        folder = folder.getParent()) {
      int sign = folder.getName().indexOf('=');
      if (sign > 0) {
        keys.add(0, folder.getName().substring(0, sign));
      }
    }
    return keys;
  }

  private static void requireSameKeys(List<Root> roots) {
    for (Root root : roots) {
      if (!root.keys().equals(roots.get(0).keys())) {
        throw otherKeys(roots.get(0).files().get(0).getPath(), root.files().get(0).getPath());
      }
    }
  }

  private static InputException otherKeys(Path one, Path other) {
    return new InputException(
        spelled(one)
            + " and "
            + spelled(other)
            + " lie in folders that make different columns (key=value); give them as inputs of"
            + " their own");
  }

  private static void requireReadable(FileSystem system, FileStatus file) {
    String name = file.getPath().getName();
    if ("file".equals(system.getUri().getScheme()) && name.contains(":")) {
      throw withColon(spelled(file.getPath()));
    }
    if (InputFormat.isUnread(name)) {
      throw new InputException(
          spelled(file.getPath())
              + " is an archive, or compressed otherwise than by gzip (.gz), bzip2 (.bz2) or"
              + " Zstandard (.zst); unpack it");
    }
  }

  private static InputException withColon(String file) {
    return new InputException(
        file
            + " has a colon in its name, with which Hadoop opens no local file; rename it, or give"
            + " a link to it");
  }

  private static String nothing(String input, List<FileStatus> named) {
    return named.stream()
        .filter(status -> !status.isDirectory())
        .findFirst()
        .map(
            hidden ->
                "Spark passes over "
                    + hidden.getPath().getName()
                    + ", because its name begins with an underscore or a dot; rename it, or give a"
                    + " link to it")
        .orElse(
            named.isEmpty()
                ? "there is no file at the input "
                    + input
                    + (ENCODED.matcher(input).find()
                        ? ", in which Hadoop takes percent signs as they are: write a blank for %20"
                        : "")
                : "there is no file in "
                    + input
                    + " that Spark reads; it passes over names that begin with an underscore or a"
                    + " dot");
  }
}
