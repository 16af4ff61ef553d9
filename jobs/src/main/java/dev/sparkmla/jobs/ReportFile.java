package dev.sparkmla.jobs;

import dev.sparkmla.ui.HtmlText;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The file of a report. It is created before the model is loaded, so that a place that cannot be
 * written to is found early. Until the report is written, the file says that the job has not
 * finished. Not thread-safe.
 */
final class ReportFile {
  private final Path path;
  private final FileSystem files;

  private ReportFile(Path path, FileSystem files) {
    this.path = path;
    this.files = files;
  }

  /**
   * Creates the file, or overwrites an existing one.
   *
   * @param name a path, or a URI in a file system of Hadoop
   * @throws JobException when it cannot be written
   */
  static ReportFile create(String name, Configuration conf) {
    try {
      Path path = new Path(name);
      ReportFile file = new ReportFile(path, path.getFileSystem(conf));
      file.writeAll(page("The job has not finished."));
      return file;
    } catch (IOException | IllegalArgumentException problem) {
      throw new JobException(
          "the report cannot be written to " + name + ", which --report names: " + problem);
    }
  }

  /**
   * Replaces the file's content by the report.
   *
   * @throws JobException when it cannot be written
   */
  void write(String html) {
    try {
      writeAll(html);
    } catch (IOException problem) {
      throw new JobException("the report cannot be written to " + path + ": " + problem);
    }
  }

  /**
   * Replaces the file's content by a sentence, where there is nothing to report.
   *
   * @param sentence plain text
   * @throws JobException when it cannot be written
   */
  void writeSentence(String sentence) {
    write(page(HtmlText.escape(sentence)));
  }

  private static String page(String sentence) {
    return "<!DOCTYPE html><title>Generation</title><p>" + sentence + "</p>";
  }

  private void writeAll(String html) throws IOException {
    // Without the file of checksums that Hadoop puts beside local ones.
    FileSystem plain = files instanceof LocalFileSystem local ? local.getRawFileSystem() : files;
    try (OutputStream out = plain.create(path, true)) {
      out.write(html.getBytes(StandardCharsets.UTF_8));
    }
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
