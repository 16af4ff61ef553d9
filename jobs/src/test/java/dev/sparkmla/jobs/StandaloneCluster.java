package dev.sparkmla.jobs;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Spark's standalone master and workers on this machine, each a process. A worker has an address of
 * its own, by which Spark takes it for another host. Closing ends all.
 */
final class StandaloneCluster implements AutoCloseable {
  /** Options for a process that lives a few seconds. */
  static final List<String> START_FAST = List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");

  private final Path folder;
  private final Path logging;
  private final Process master;
  private final String url;
  private final Map<String, Process> workers = new LinkedHashMap<>();
  private final Map<String, Map<String, String>> environments = new HashMap<>();

  /**
   * Starts a master.
   *
   * @param folder for what the processes write
   */
  StandaloneCluster(Path folder) throws IOException {
    this.folder = folder;
    Files.createDirectories(home(folder).resolve("jars"));
    Files.writeString(home(folder).resolve("RELEASE"), "");
    logging = folder.resolve("log4j2.properties");
    Files.writeString(
        logging,
        """
        rootLogger.level = info
        rootLogger.appenderRef.out.ref = out
        appender.out.type = Console
        appender.out.name = out
        appender.out.layout.type = PatternLayout
        appender.out.layout.pattern = %m%n
        """);
    master = start("127.0.0.1", Map.of(), "org.apache.spark.deploy.master.Master");
    String line = await(master, "Starting Spark master at ");
    url = line.substring(line.indexOf("spark://"));
  }

  /** As {@code --master} names it. */
  String url() {
    return url;
  }

  /**
   * Starts a worker of one core.
   *
   * @param address of this machine, such as 127.0.0.2
   * @param environment the worker's and its executors'
   */
  void startWorker(String address, Map<String, String> environment) throws IOException {
    environments.put(address, environment);
    Process worker =
        start(
            address,
            environment,
            "org.apache.spark.deploy.worker.Worker",
            "--cores",
            "1",
            "--memory",
            "1g",
            "--work-dir",
            folder.resolve("work").toString(),
            url);
    workers.put(address, worker);
    await(worker, "Successfully registered with master");
  }

  /** Starts those workers again that were killed. */
  void replaceDeadWorkers() throws IOException {
    for (String address : List.copyOf(workers.keySet())) {
      if (!workers.get(address).isAlive()) {
        startWorker(address, environments.get(address));
      }
    }
  }

  /** What this JVM was started with and Spark needs, and what lets short processes start fast. */
  static List<String> javaOptions() {
    return Stream.concat(
            START_FAST.stream(),
            ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(
                    option -> option.startsWith("--add-opens") || option.startsWith("-Dio.netty")))
        .toList();
  }

  /** What Spark's processes need to know of their home, which has no jars. */
  static Map<String, String> environment(Path folder, String address) {
    return Map.of(
        "SPARK_HOME",
        home(folder).toString(),
        "SPARK_SCALA_VERSION",
        "2.13",
        "SPARK_LOCAL_IP",
        address);
  }

  private static Path home(Path folder) {
    return folder.resolve("spark");
  }

  private Process start(
      String address, Map<String, String> environment, String main, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(javaOptions());
    command.addAll(List.of("-Xmx256m", "-Dlog4j2.configurationFile=" + logging, "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.add(main);
    command.addAll(List.of("--host", address, "--port", "0", "--webui-port", "0"));
    command.addAll(List.of(arguments));
    ProcessBuilder process = new ProcessBuilder(command).redirectErrorStream(true);
    process.environment().putAll(environment(folder, address));
    process.environment().putAll(environment);
    return process.start();
  }

  /** Reads up to a line that holds the part, and leaves the others to a thread of their own. */
  private static String await(Process process, String part) throws IOException {
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.contains(part)) {
        Thread reader = new Thread(() -> output.lines().forEach(read -> {}));
        reader.setDaemon(true);
        reader.start();
        return line;
      }
    }
    throw new IOException("the process ended before it said: " + part);
  }

  @Override
  public void close() {
    workers.values().forEach(Process::destroyForcibly);
    master.destroyForcibly();
  }
}
