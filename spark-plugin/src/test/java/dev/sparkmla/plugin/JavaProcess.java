package dev.sparkmla.plugin;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A Java process with this one's classes, which ends with the test. Its errors go to this one's.
 */
public final class JavaProcess implements AutoCloseable {
  private final Process process;
  private final BufferedReader output;

  public JavaProcess(Map<String, String> environment, List<String> options, String... command)
      throws IOException {
    List<String> all = new ArrayList<>();
    all.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    all.addAll(options);
    all.addAll(List.of("-cp", System.getProperty("java.class.path")));
    all.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(all).redirectErrorStream(true);
    builder.environment().putAll(environment);
    process = builder.start();
    output = process.inputReader(StandardCharsets.UTF_8);
  }

  public long pid() {
    return process.pid();
  }

  /** The next line that it prints and that holds the part; null when it ends without one. */
  public String line(String part) throws IOException {
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.contains(part)) {
        return line;
      }
    }
    return null;
  }

  /** Leaves what it prints from here on unread, so that it never waits for a reader. */
  public void drain() {
    Thread reader = new Thread(() -> output.lines().forEach(line -> {}));
    reader.setDaemon(true);
    reader.start();
  }

  /** Gives it a line to read. */
  public void tell(String line) throws IOException {
    process.outputWriter().write(line + "\n");
    process.outputWriter().flush();
  }

  /** Ends it as the operating system does, and waits. */
  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor();
  }
}
