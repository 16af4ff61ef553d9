package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.NarrowDependency;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import scala.collection.AbstractIterator;
import scala.collection.Iterator;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag$;

/**
 * Ranges of numbered rows, a partition for each, read from the partitions of another RDD without a
 * shuffle: a partition reads what comes before its rows and drops it. Each row gets its number as a
 * last column.
 *
 * <p>Spark's {@code PartitionPruningRDD} leaves partitions out and {@code CoalescedRDD} joins them;
 * neither takes parts of them.
 */
final class RowRangesRdd extends RDD<InternalRow> {
  private static final long serialVersionUID = 1L;

  private final List<List<Piece>> tasks;
  private final RemainingRows remaining;

  /**
   * The part of a range that one partition of the source has.
   *
   * @param range the rows' numbers
   * @param partition of the source
   * @param skipped rows of that partition before them
   * @param file whose rows they are
   */
  record Piece(RowRange range, int partition, long skipped, String file) implements Serializable {
    Optional<Piece> intersect(RowRange other) {
      return range
          .intersect(other)
          .map(part -> new Piece(part, partition, skipped + part.first() - range.first(), file));
    }
  }

  private record Source(Piece piece, Partition partition) implements Serializable {}

  private record TaskPartition(int index, List<Source> sources) implements Partition {
    @Override
    public boolean equals(Object other) {
      return other instanceof TaskPartition task && task.index == index;
    }

    @Override
    public int hashCode() {
      return index;
    }
  }

  /**
   * @param source whose partitions hold the rows
   * @param tasks for each partition of this RDD its rows, in order
   * @param remaining asked where a task is tried again
   */
  RowRangesRdd(RDD<InternalRow> source, List<List<Piece>> tasks, RemainingRows remaining) {
    super(
        source.context(),
        seq(List.of(new Sources(source, tasks))),
        ClassTag$.MODULE$.apply(InternalRow.class));
    this.tasks = new ArrayList<>(tasks);
    this.remaining = remaining;
  }

  private static final class Sources extends NarrowDependency<InternalRow> {
    private static final long serialVersionUID = 1L;

    private final transient List<List<Piece>> tasks;

    Sources(RDD<InternalRow> source, List<List<Piece>> tasks) {
      super(source);
      this.tasks = tasks;
    }

    @Override
    @SuppressWarnings({"unchecked", "rawtypes"}) // Scala's Int is an Object to Java.
    public Seq<Object> getParents(int partition) {
      return (Seq) seq(tasks.get(partition).stream().map(Piece::partition).distinct().toList());
    }
  }

  @Override
  public Partition[] getPartitions() {
    Partition[] partitions = source().partitions();
    Partition[] made = new Partition[tasks.size()];
    for (int i = 0; i < made.length; i++) {
      List<Source> sources = new ArrayList<>();
      for (Piece piece : tasks.get(i)) {
        sources.add(new Source(piece, partitions[piece.partition()]));
      }
      made[i] = new TaskPartition(i, sources);
    }
    return made;
  }

  @Override
  public Seq<String> getPreferredLocations(Partition split) {
    return source().preferredLocations(((TaskPartition) split).sources().get(0).partition());
  }

  @Override
  public Iterator<InternalRow> compute(Partition split, TaskContext context) {
    List<Source> sources = ((TaskPartition) split).sources();
    boolean isFirst = context.attemptNumber() == 0 && context.stageAttemptNumber() == 0;
    return new Rows(isFirst ? sources : remainingOf(sources), context);
  }

  private List<Source> remainingOf(List<Source> sources) {
    RowRange whole =
        new RowRange(
            sources.get(0).piece().range().first(),
            sources.get(sources.size() - 1).piece().range().end());
    List<RowRange> ranges = remaining.of(whole);
    return sources.stream()
        .flatMap(
            source ->
                ranges.stream()
                    .map(source.piece()::intersect)
                    .flatMap(Optional::stream)
                    .map(piece -> new Source(piece, source.partition())))
        .toList();
  }

  @SuppressWarnings("unchecked")
  private RDD<InternalRow> source() {
    return (RDD<InternalRow>) dependencies().apply(0).rdd();
  }

  private static <T> Seq<T> seq(List<T> elements) {
    return CollectionConverters.asScala(elements).toSeq();
  }

  /** Rows of one task. */
  private final class Rows extends AbstractIterator<InternalRow> {
    private final java.util.Iterator<Source> sources;
    private final TaskContext context;
    private final GenericInternalRow number = new GenericInternalRow(1);
    private final JoinedRow joined = new JoinedRow();
    private Iterator<InternalRow> rows;
    private Piece piece;
    private long next;

    Rows(List<Source> sources, TaskContext context) {
      this.sources = sources.iterator();
      this.context = context;
    }

    @Override
    public boolean hasNext() {
      if ((piece == null || next == piece.range().end()) && sources.hasNext()) {
        open(sources.next());
      }
      return piece != null && next < piece.range().end();
    }

    @Override
    public InternalRow next() {
      if (!hasNext()) {
        throw new java.util.NoSuchElementException();
      }
      number.setLong(0, next++);
      return joined.apply(row(), number);
    }

    private void open(Source opened) {
      piece = opened.piece();
      next = piece.range().first();
      rows = source().iterator(opened.partition(), context);
      for (long i = 0; i < piece.skipped(); i++) {
        row();
      }
    }

    private InternalRow row() {
      if (!rows.hasNext()) {
        throw new InputException(
            piece.file() + " has fewer rows than it had as the job began; has it changed?");
      }
      return rows.next();
    }
  }
}
