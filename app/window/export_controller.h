// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_queue.h"
#include "app/session/session_document.h"
#include "app/window/file_questions.h"
#include "app/window/spectrum_controller.h"
#include "core/plan/export.h"
#include "views/common/figure.h"

#include <QObject>

#include <functional>
#include <vector>

namespace tamis::app {

/// What leaves the program: plan.json, export directories, pictures and tables.
class ExportController : public QObject
{
    Q_OBJECT
public:
    ExportController(SessionDocument& document, SpectrumController& spectrum, JobQueue& jobs, const FileQuestions& ask, QObject* parent = nullptr);

    /// Empty: it can be done now.
    QString disabledReason() const;
    QString planDisabledReason() const; ///< of saving the plan: what has no model needs no spectra
    void savePlan();
    /// What a saved plan says of the attention; nothing unless set.
    void setAttention(std::function<std::vector<plan::PlannedAttention>()> attention) { m_attention = std::move(attention); }
    void exportModel(const plan::ExportOptions& options);
    void exportFigure(const views::Figure& figure, views::FigureFormat format, const QString& suggestedName);
    void exportWidgetPicture(QWidget& widget, const QString& caption, const QString& suggestedName);

signals:
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    SessionDocument& m_document;
    SpectrumController& m_spectrum;
    JobQueue& m_jobs;
    const FileQuestions& m_ask; ///< the window's
    std::function<std::vector<plan::PlannedAttention>()> m_attention;
};

} // namespace tamis::app
