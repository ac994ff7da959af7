// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"
#include "views/common/figure.h"

#include <QWidget>

class QLabel;
class QPushButton;

namespace tamis::views {

class ElidedLabel;
class ParameterEditor;
class TrainingView;

/// A model that is trained around the attention that stands in it: what is trained on and how, its losses while it runs, what it gained, and files that it is saved to and opened
/// from. What the user asks for is a signal; nothing is computed here.
class AttentionTrainingPage : public QWidget {
    Q_OBJECT
public:
    explicit AttentionTrainingPage(QWidget* parent = nullptr);
    void setSchema(const ParameterSchema& schema);      ///< of the training
    void setParameters(const Parameters& parameters);   ///< without a signal; what is missing has its default
    void setSamples(const QString& path);               ///< to train on; empty: none
    void setOutcome(const QString& lines);              ///< what was gained; empty: nothing was trained
    void setSaveReason(const QString& reason);          ///< why there is nothing to save; empty: there is
    void setOpenReason(const QString& reason);          ///< why no file can be opened now; empty: it can
    void setCaption(const QString& settings);
    TrainingView* training() const { return m_training; }

signals:
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void samplesRequested();
    void trainRequested();
    void finishRequested();
    void cancelRequested();
    void saveRequested();
    void openRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    ParameterEditor* m_parameters;
    TrainingView* m_training;
    ElidedLabel* m_samples;
    QLabel* m_outcome;
    QPushButton *m_save, *m_open;
};

} // namespace tamis::views
